// The page: which view is shown, what is live, and the keys.
import type { ServiceDetail } from '../../explain/services-object.ts'
import type { Status } from '../../server/status-object.ts'
import { setClock, since, startClock } from './clock.ts'
import { byId, element, focusKey, refill, say } from './dom.ts'
import { type FeedListener, follow } from './feed.ts'
import { statusView } from './overview.ts'
import { type Route, routeOf } from './route.ts'
import { serviceView } from './service.ts'
import { servicesView } from './services.ts'
import { plain } from './text.ts'
import { traceView } from './trace.ts'

interface View {
  readonly title: string
  readonly status?: (status: Status) => void
  readonly service?: (detail: ServiceDetail | null) => void
  readonly focusSearch?: () => void
  readonly close?: () => void
}

const content = byId('content')
let view: View | undefined
let route: Route = { view: 'overview' }
let lastStatus: Status | undefined
let followed: string | undefined
let linkState = ''

function overview(): View {
  const place = element('div', { class: 'status', 'aria-label': 'Status', role: 'region' })
  const services = servicesView()
  content.replaceChildren(element('h1', { tabindex: '-1', class: 'unseen' }, 'Overview'), place, services.panel)
  let shown = ''
  let programmed = ''
  const status = (fresh: Status): void => {
    const { time: _, ...rest } = fresh
    const text = JSON.stringify(rest)
    if (text !== shown) refill(place, ...statusView(fresh))
    shown = text
    const state = JSON.stringify([
      fresh.source.objects,
      fresh.families.map(each => [each.lastFullSync, each.lastPartialSync, each.waitingSince, each.quarantined]),
    ])
    if (programmed !== '' && state !== programmed) services.refresh()
    programmed = state
  }
  if (lastStatus === undefined) place.append(element('p', { class: 'panel empty' }, 'Asking the daemon …'))
  else status(lastStatus)
  return { title: 'Overview', status, focusSearch: services.focusSearch, close: services.close }
}

function serviceDetail(name: string): View {
  const place = element('div', {}, element('p', { class: 'panel empty' }, 'Asking the daemon …'))
  const back = element('a', { href: '#/', class: 'back' }, '← All Services')
  content.replaceChildren(back, element('h1', { tabindex: '-1' }, name), place)
  let drawn: ReturnType<typeof serviceView> | undefined
  let known = false
  const service = (detail: ServiceDetail | null): void => {
    if (known) say(detail === null ? `${name} is gone` : `${name} changed`)
    known = true
    if (detail !== null) {
      drawn ??= serviceView(place)
      drawn.show(detail)
      return
    }
    drawn?.close()
    drawn = undefined
    const words = 'The daemon knows no such Service. The page stays open and shows it when it comes.'
    refill(place, element('section', { class: 'panel' }, element('p', { class: 'empty' }, words)))
  }
  return { title: name, service, close: () => drawn?.close() }
}

function trace(from: string, to: string): View {
  content.replaceChildren(element('h1', { tabindex: '-1' }, 'Trace a packet'), traceView({ from, to }))
  return { title: 'Trace' }
}

function showRoute(first: boolean): void {
  const before = route
  route = routeOf(window.location.hash)
  view?.close?.()
  view =
    route.view === 'service' ? serviceDetail(route.service) : route.view === 'trace' ? trace(route.from, route.to) : overview()
  mark('to-overview', route.view !== 'trace')
  mark('to-trace', route.view === 'trace')
  showTitle()
  const wanted = route.view === 'service' ? route.service : undefined
  if (first || wanted !== followed) follow(wanted, listener)
  followed = wanted
  if (first) return
  window.scrollTo(0, 0)
  if (route.view === 'trace' && route.to === '') byId('trace-from').focus()
  else content.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
  // Back in the list one goes on where one was, once it is there.
  if (before.view === 'service' && route.view === 'overview') focusLater(before.service)
}

function mark(link: string, current: boolean): void {
  if (current) byId(link).setAttribute('aria-current', 'page')
  else byId(link).removeAttribute('aria-current')
}

function focusLater(key: string, tries = 20): void {
  if (route.view !== 'overview' || document.activeElement?.tagName !== 'H1' || focusKey(content, key) || tries === 0) return
  window.setTimeout(() => focusLater(key, tries - 1), 50)
}

function showTitle(): void {
  const node = lastStatus === undefined ? '' : ` · ${lastStatus.node}`
  document.title = plain(`${view?.title ?? 'Switchyard'}${node} · Switchyard`)
}

const listener: FeedListener = {
  status: status => {
    const firstTime = lastStatus?.node !== status.node
    lastStatus = status
    setClock(status.time)
    refill(byId('node'), element('span', { class: 'unseen' }, 'Node '), status.node)
    byId('about').textContent = `Switchyard ${status.version} · ${status.mode} mode · read only`
    if (firstTime) showTitle()
    view?.status?.(status)
  },
  service: detail => view?.service?.(detail),
  state: state => {
    if (state === linkState) return
    if (linkState !== '') say(state === 'live' ? 'The daemon answers again.' : 'The daemon does not answer.')
    linkState = state
    byId('link').dataset['state'] = state
    byId('link-text').textContent = state === 'live' ? 'Live' : 'Away'
    document.body.classList.toggle('stale', state === 'away')
    byId('away').hidden = state === 'live'
    const last = lastStatus === undefined ? [] : [' What is shown is from ', since(lastStatus.time), '.']
    const words = 'The daemon does not answer. Its rules stay in the kernel, connections go on. Trying again every two seconds.'
    refill(byId('away'), element('strong', {}, 'Away. '), words, ...last)
  },
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === '/' && !isTyping(event.target)) {
    event.preventDefault()
    if (view?.focusSearch === undefined) {
      // The view changes with the address, later than this.
      window.addEventListener('hashchange', () => view?.focusSearch?.(), { once: true })
      window.location.hash = '#/'
    } else view.focusSearch()
  }
  if (event.key === 'Escape' && route.view !== 'overview') window.location.hash = '#/'
})
byId('skip').addEventListener('click', event => {
  event.preventDefault()
  content.focus()
})
window.addEventListener('hashchange', () => showRoute(false))
startClock()
showRoute(true)
