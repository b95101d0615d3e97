// The searchable list of Services. The daemon searches; here is only what fits on a screen.
import type { ServiceList, ServiceState, ServiceSummary } from '../../explain/services-object.ts'
import { ask } from './ask.ts'
import { badge, type Child, element, refill, say } from './dom.ts'
import { serviceLink } from './route.ts'
import { count, grouped } from './text.ts'

const step = 100
/** More would not help anybody. */
const mostRows = 1000
const debounceMs = 150

export interface ServicesView {
  readonly panel: HTMLElement
  /** Something changed in the daemon. */
  readonly refresh: () => void
  readonly focusSearch: () => void
  readonly close: () => void
}

/** Kept from one visit of the list to the next. */
let search = ''
let limit = step

export function servicesView(): ServicesView {
  const input = element('input', {
    type: 'search',
    id: 'search',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'Name, namespace or address',
    'aria-describedby': 'search-count',
    'data-key': 'search',
  })
  input.value = search
  const total = element('span', { class: 'about', id: 'search-count' })
  const list = element('div', { class: 'services' })
  let asked: AbortController | undefined
  let timer: number | undefined
  let shown = ''
  /** What the list was searched for, and whether its first is to be opened when it comes. */
  let found: string | undefined
  let opens = false

  const load = async (): Promise<void> => {
    asked?.abort()
    const mine = new AbortController()
    asked = mine
    try {
      const wanted = search
      const query = { search: wanted, limit: String(limit) }
      const answer = await ask<ServiceList>('/switchyard/v1/services', query, mine.signal)
      if ('problem' in answer) fail(answer.problem)
      else {
        show(answer.value)
        found = wanted
        if (opens) links()[0]?.click()
      }
      opens = false
    } catch {
      // A later search took its place.
    }
  }

  const fail = (problem: string): void => {
    shown = ''
    refill(total)
    refill(list, element('p', { class: 'empty' }, `The list cannot be shown: ${problem}`))
  }

  const show = ({ services, total: all }: ServiceList): void => {
    const fresh = JSON.stringify([services, all, search])
    if (fresh === shown) return
    shown = fresh
    const words = search === '' ? count(all, 'Service') : `${count(all, 'Service')} found`
    refill(total, words)
    say(words)
    const none = search === '' ? 'There are no Services.' : 'No Service matches. Names, namespaces and addresses are searched.'
    refill(
      list,
      services.length === 0 ? element('p', { class: 'empty' }, none) : serviceTable(services),
      more(services.length, all),
    )
  }

  const more = (here: number, all: number): Child => {
    if (here >= all) return undefined
    const words = `${grouped(here)} of ${grouped(all)} are shown; search to narrow them down. `
    if (here >= mostRows) return element('p', { class: 'rest' }, words)
    const button = element(
      'button',
      { type: 'button', class: 'more', 'data-key': 'more' },
      `Show ${grouped(Math.min(step, all - here))} more`,
    )
    button.addEventListener('click', () => {
      limit += step
      void load()
    })
    return element('p', { class: 'rest' }, words, button)
  }

  input.addEventListener('input', () => {
    opens = false
    search = input.value.trim()
    limit = step
    window.clearTimeout(timer)
    timer = window.setTimeout(() => void load(), debounceMs)
  })
  const links = (): readonly HTMLAnchorElement[] => [...list.querySelectorAll<HTMLAnchorElement>('a[data-key]')]
  const box = element('div', { class: 'search' }, element('label', { for: 'search' }, 'Search'), input, total)
  box.addEventListener('keydown', event => {
    if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault()
      const [first] = links()
      if (event.key === 'ArrowDown') first?.focus()
      else if (found === search) first?.click()
      else {
        // What stands there is of an earlier search.
        opens = true
        window.clearTimeout(timer)
        void load()
      }
    }
    if (event.key === 'Escape') {
      event.stopPropagation()
      if (input.value === '') input.blur()
      input.value = ''
      input.dispatchEvent(new Event('input'))
    }
  })
  list.addEventListener('keydown', event => {
    const way = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    const at = [...links()].indexOf(document.activeElement as HTMLAnchorElement)
    if (way === 0 || at === -1) return
    event.preventDefault()
    const next = links()[at + way]
    if (next !== undefined) next.focus()
    else if (way === -1) input.focus()
  })
  void load()
  const panel = element('section', { class: 'panel', 'aria-labelledby': 'services-title' })
  panel.append(element('div', { class: 'head' }, element('h2', { id: 'services-title' }, 'Services'), box), list)
  return {
    panel,
    refresh: () => void load(),
    focusSearch: () => {
      input.focus()
      input.select()
    },
    close: () => {
      asked?.abort()
      window.clearTimeout(timer)
    },
  }
}

function serviceTable(services: readonly ServiceSummary[]): HTMLElement {
  const titles = ['Service', 'Type', 'Addresses', 'Ports', 'Endpoints', 'State']
  const head = element('tr', {}, ...titles.map(title => element('th', { scope: 'col' }, title)))
  const made = element('table', { class: 'list' }, element('caption', { class: 'unseen' }, 'Services'))
  made.append(element('thead', {}, head), element('tbody', {}, ...services.map(row)))
  return made
}

function row({ service, type, addresses, ports, endpoints, state }: ServiceSummary): HTMLElement {
  const [namespace = '', ...name] = service.split('/')
  const link = element(
    'a',
    { href: serviceLink(service), 'data-key': service, title: service },
    element('span', { class: 'namespace' }, `${namespace}/`),
    name.join('/'),
  )
  const { total, ready, local } = endpoints
  const level = total > 0 && ready === 0 ? 'bad' : ready < total ? 'warn' : ''
  const amount = element('span', { class: level }, total === 0 ? 'none' : `${ready} of ${total} ready`)
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, link),
    element('td', { 'data-title': 'Type' }, type),
    element('td', { 'data-title': 'Addresses', class: 'mono' }, ...several(addresses)),
    element('td', { 'data-title': 'Ports', class: 'mono' }, ...several(ports)),
    element('td', { 'data-title': 'Endpoints' }, amount, local === 0 ? undefined : element('small', {}, `, ${local} here`)),
    element('td', { 'data-title': 'State' }, stateBadge(state)),
  )
}

/** The first three, and how many more. */
function several(values: readonly string[]): readonly Child[] {
  if (values.length === 0) return ['–']
  const most = 3
  const rest = values.length - most
  const parts = values.slice(0, most).map(value => element('span', { class: 'value' }, value))
  return rest > 0 ? [...parts, element('small', { title: values.join(', ') }, `and ${rest} more`)] : parts
}

export function stateBadge({ programmed, remarks }: ServiceState): HTMLElement {
  const [kind, word] = stateWords[programmed] ?? (['quiet', programmed] as const)
  const remarked = programmed === 'yes' && remarks.length > 0
  const made = badge(remarked ? 'warn' : kind, remarked ? 'in the kernel, remarked' : word)
  if (remarks.length > 0) made.title = remarks.join('\n')
  return made
}

const stateWords: Readonly<Record<ServiceState['programmed'], readonly ['good' | 'warn' | 'bad' | 'quiet', string]>> = {
  yes: ['good', 'in the kernel'],
  waiting: ['warn', 'waiting'],
  quarantined: ['bad', 'quarantined'],
  'not ours': ['quiet', 'not ours'],
}
