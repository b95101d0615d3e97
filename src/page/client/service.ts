// One Service: its state, and for each port the picture and the same in tables.
import type {
  ClientFate,
  EndpointChance,
  EndpointDetail,
  ServiceDetail,
  ServicePortDetail,
} from '../../explain/services-object.ts'
import { badge, type Child, element, refill, table } from './dom.ts'
import { type Picture, picture } from './picture.ts'
import { traceLink } from './route.ts'
import { stateBadge } from './services.ts'
import { count, percent, span } from './text.ts'

export interface ServiceView {
  readonly show: (detail: ServiceDetail) => void
  readonly close: () => void
}

/** Draws into `place`. */
export function serviceView(place: HTMLElement): ServiceView {
  const head = element('div', { class: 'service-head' })
  const tabs = element('div', { class: 'tabs', role: 'group', 'aria-label': 'Ports' })
  const drawing: Picture = picture()
  const body = element('div', {})
  const panel = element('section', { class: 'panel', 'aria-label': 'Where connections go' }, tabs, drawing.frame)
  place.replaceChildren(head, panel, body)
  let chosen = ''
  let detail: ServiceDetail | undefined

  const showPort = (): void => {
    if (detail === undefined) return
    const ports = detail.ports
    const port = ports.find(each => keyOf(each) === chosen) ?? ports[0]
    panel.hidden = port === undefined
    if (port === undefined) {
      refill(body, element('section', { class: 'panel' }, element('p', { class: 'empty' }, nothing(detail))))
      return
    }
    const several = ports.map(each => tab(each, keyOf(each) === keyOf(port)))
    refill(tabs, ...(ports.length > 1 ? several : []))
    drawing.show(port)
    refill(body, addressTable(port), endpointTable(port))
  }

  const tab = (port: ServicePortDetail, pressed: boolean): HTMLElement => {
    const key = keyOf(port)
    const text = `${port.name.replace(/^[^:]*:?/, '') || 'port'} ${port.port}/${port.protocol} ${port.family}`
    const made = element('button', { type: 'button', 'aria-pressed': String(pressed), 'data-key': key }, text)
    made.addEventListener('click', () => {
      chosen = key
      showPort()
    })
    return made
  }

  return {
    show: fresh => {
      detail = fresh
      refill(head, ...headOf(fresh))
      showPort()
    },
    close: drawing.close,
  }
}

function keyOf({ name, family, port, protocol }: ServicePortDetail): string {
  return [name, family, port, protocol].join(' ')
}

function nothing({ type }: ServiceDetail): string {
  return `A Service of type ${type} without an address that this node serves: there is nothing to draw.`
}

function headOf({ type, state, ports, mode }: ServiceDetail): readonly Child[] {
  const affinity = ports.find(({ affinitySeconds }) => affinitySeconds !== null)?.affinitySeconds ?? null
  const schedulers = [...new Set(ports.flatMap(({ scheduler }) => scheduler ?? []))]
  return [
    element(
      'p',
      { class: 'tags' },
      stateBadge(state),
      badge('quiet', type),
      badge('quiet', `${mode} mode`),
      affinity === null ? undefined : badge('quiet', `a client keeps its endpoint for ${span(affinity * 1000)}`),
      ...schedulers.map(scheduler => badge('quiet', `scheduler ${scheduler}`)),
    ),
    state.remarks.length === 0
      ? undefined
      : element('ul', { class: 'remarks' }, ...state.remarks.map(text => element('li', {}, text))),
  ]
}

function addressTable({ addresses, port, protocol }: ServicePortDetail): HTMLElement {
  const columns = ['Address', 'Kind', 'Pods', 'This node', 'Outside', 'Only from', 'Trace'].map(title => ({ title }))
  const rows = addresses.map(({ address, kind, sourceRanges, fates }): readonly Child[] => {
    const of = (client: 'pod' | 'node' | 'outside'): Child => {
      const found = fates.find(fate => fate.client === client)
      return found === undefined ? undefined : fateWord(found.fate)
    }
    const to = `${address}/${protocol}`
    const link = address.startsWith('node:')
      ? undefined
      : element(
          'a',
          { href: traceLink('outside', to), 'aria-label': `Trace from outside to ${to}`, 'data-key': `trace ${to}` },
          'from outside',
        )
    return [
      element('code', {}, address),
      kind,
      of('pod'),
      of('node'),
      of('outside'),
      sourceRanges.join(', ') || 'everywhere',
      link,
    ]
  })
  const title = `Addresses of port ${port}/${protocol}`
  return element('section', { class: 'panel' }, element('h2', {}, title), table(title, columns, rows))
}

function fateWord(fate: ClientFate): Child {
  return typeof fate === 'string' ? badge('bad', fate) : `policy ${fate.to}`
}

const mostRows = 200

function endpointTable({ endpoints }: ServicePortDetail): HTMLElement {
  const byPolicy = [
    { title: 'Policy Cluster', of: (endpoint: EndpointDetail) => endpoint.cluster },
    { title: 'Policy Local', of: (endpoint: EndpointDetail) => endpoint.localPolicy },
  ].filter(({ of }) => endpoints.some(endpoint => of(endpoint) !== null))
  const columns = [
    { title: 'Endpoint' },
    { title: 'Pod' },
    { title: 'Node' },
    { title: 'Condition' },
    ...byPolicy.map(({ title }) => ({ title })),
  ]
  const rows = endpoints
    .slice(0, mostRows)
    .map((endpoint): readonly Child[] => [
      element('code', {}, endpoint.endpoint),
      endpoint.pod ?? undefined,
      endpoint.node === null ? undefined : `${endpoint.node}${endpoint.local ? ' (here)' : ''}`,
      condition(endpoint),
      ...byPolicy.map(({ of }) => chance(of(endpoint))),
    ])
  const title = count(endpoints.length, 'endpoint')
  const more = endpoints.length > mostRows ? `The first ${mostRows}; \`switchyard status services\` has all.` : ''
  const empty = element('p', { class: 'empty' }, 'It has no endpoints: no EndpointSlice names any for this port.')
  return element(
    'section',
    { class: 'panel' },
    element('h2', {}, title),
    endpoints.length === 0 ? empty : table('Endpoints', columns, rows),
    more === '' ? undefined : element('p', { class: 'about' }, more),
  )
}

function condition({ ready, serving, terminating }: EndpointDetail): HTMLElement {
  if (terminating) return badge('warn', serving ? 'terminating, still serving' : 'terminating')
  return ready ? badge('good', 'ready') : badge('bad', 'not ready')
}

function chance(value: EndpointChance | null): Child {
  if (value === null) return undefined
  return value.share > 0 ? percent(value.share) : element('span', { class: 'reason' }, value.reason ?? 'none')
}
