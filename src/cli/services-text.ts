// The objects of services-object.ts → text for people. Pure. What comes over the network is shown without control characters.
import type {
  ClientFate,
  EndpointDetail,
  ServiceDetail,
  ServiceList,
  ServicePortDetail,
  ServiceState,
  ServiceSummary,
} from '../explain/services-object.ts'
import { count } from '../model/count.ts'
import { plain } from './plain.ts'
import type { Screen } from './status-text.ts'
import { type Cell, fittedTable, isWithin, type Paint, type Rows, table } from './table.ts'

/** @param asked what was asked for: `called "web"`; undefined: all. */
export function serviceListText(list: ServiceList, screen: Screen, asked?: string): string {
  const { services, total, node, mode } = list
  const where = `on node ${plain(node)}, mode ${plain(mode)}`
  if (total === 0) return asked === undefined ? `There is no Service (${where}).\n` : `There is no Service ${asked} (${where}).\n`
  const title = ['SERVICE', 'TYPE', 'ADDRESSES', 'PORTS', 'READY', 'HERE', 'STATE']
  const rows: Rows = [title, ...services.map(serviceRow)]
  const hidden = total - services.length
  const remarks = services.filter(({ state }) => state.programmed !== 'not ours').flatMap(remarkLines(screen.paint))
  const blocks = [
    `${count(total, 'Service')}${asked === undefined ? '' : ` ${asked}`}, ${where}`,
    fittedTable(rows, { ...screen, dispensable: ['TYPE', 'HERE', 'PORTS'] }),
    hidden === 0 ? '' : `and ${hidden} more: --search TEXT finds some of them, --limit N shows up to N`,
    remarks.join('\n'),
  ]
  return `${blocks.filter(Boolean).join('\n\n')}\n`
}

function serviceRow({ service, type, addresses, ports, endpoints, state }: ServiceSummary): readonly Cell[] {
  const { ready, total, local } = endpoints
  const lacksEndpoints = ready === 0 && state.programmed !== 'not ours'
  return [
    plain(service),
    plain(type),
    firstOf(addresses),
    firstOf(ports),
    { text: `${ready}/${total}`, ...(lacksEndpoints && { style: 'bad' as const }) },
    String(local),
    stateCell(state),
  ]
}

/** `10.96.0.1 +2`. */
function firstOf([first, ...others]: readonly string[]): string {
  if (first === undefined) return '-'
  return others.length === 0 ? plain(first) : `${plain(first)} +${others.length}`
}

function stateCell({ programmed }: ServiceState): { readonly text: string; readonly style?: 'good' | 'bad' } {
  switch (programmed) {
    case 'yes':
      return { text: 'programmed', style: 'good' }
    case 'quarantined':
      return { text: programmed, style: 'bad' }
    default:
      return { text: plain(programmed) }
  }
}

function remarkLines(paint: Paint): (of: Pick<ServiceSummary, 'service' | 'state'>) => readonly string[] {
  return ({ service, state }) => state.remarks.map(remark => `${paint('bad', '!')} ${plain(service)}: ${plain(remark)}`)
}

export function serviceDetailText(detail: ServiceDetail, screen: Screen): string {
  const { service, type, state, ports, node, mode } = detail
  const { paint } = screen
  const { text, style } = stateCell(state)
  const heading = `${paint('title', plain(service))}, ${plain(type)}: ${style === undefined ? text : paint(style, text)} (node ${plain(node)}, mode ${plain(mode)})`
  const remarks = state.remarks.map(remark => `${paint('bad', '!')} ${plain(remark)}`)
  return `${[[heading, ...remarks].join('\n'), ...ports.map(port => portText(port, screen))].join('\n\n\n')}\n`
}

function portText(port: ServicePortDetail, screen: Screen): string {
  const { name, family, protocol, port: number, scheduler, affinitySeconds, addresses } = port
  const about = [
    `${plain(name)}, ${number}/${protocol} over ${family}`,
    ...(scheduler === null ? [] : [`scheduler ${plain(scheduler)}`]),
    ...(affinitySeconds === null ? [] : [`a client keeps its endpoint for ${affinitySeconds} s`]),
  ]
  const fences = addresses.flatMap(({ address, sourceRanges }) =>
    sourceRanges.length === 0 ? [] : [`${plain(address)} is for ${sourceRanges.map(plain).join(', ')} alone, others are dropped`],
  )
  const answers = [screen.paint('title', about.join(', ')), addressTable(port, screen), ...fences].join('\n')
  return `${answers}\n\n${endpointTable(port, screen)}`
}

function addressTable({ addresses, endpoints }: ServicePortDetail, screen: Screen): string {
  if (addresses.length === 0) return 'It has no address here.'
  const title = ['ADDRESS', 'KIND', 'FROM PODS', 'FROM THE NODE', 'FROM OUTSIDE']
  const rows = addresses.map(({ address, kind, fates }): readonly Cell[] => [
    plain(address),
    plain(kind),
    ...(['pod', 'node', 'outside'] as const).map(client => fateCell(fates.find(each => each.client === client)?.fate, endpoints)),
  ])
  return fittedTable([title, ...rows], screen)
}

function fateCell(fate: ClientFate | undefined, endpoints: readonly EndpointDetail[]): Cell {
  if (fate === undefined) return '?'
  if (fate === 'untouched') return 'not taken'
  if (typeof fate === 'string') return { text: plain(fate), style: 'bad' }
  const chosen = endpoints.filter(each => (chanceUnder(each, fate.to)?.share ?? 0) > 0).length
  return { text: `${plain(fate.to)} (${chosen})`, style: 'good' }
}

function chanceUnder({ cluster, localPolicy }: EndpointDetail, policy: 'Cluster' | 'Local') {
  return policy === 'Cluster' ? cluster : localPolicy
}

/** Where the reasons make it wider than the terminal, they go below the lines that they are about. */
function endpointTable({ endpoints }: ServicePortDetail, { paint, width }: Screen): string {
  if (endpoints.length === 0) return 'No EndpointSlice names an endpoint for it.'
  const policies = (['Cluster', 'Local'] as const).filter(policy => endpoints.some(each => chanceUnder(each, policy) !== null))
  const title = ['ENDPOINT', 'POD', 'NODE', 'STATE', ...policies.map(policy => policy.toUpperCase())]
  const rows: Rows = [title, ...endpoints.map(endpoint => endpointRow(endpoint, policies))]
  const reasons = endpoints.map(endpoint => reasonsAgainst(endpoint, policies))
  const wide = rows.map((row, index) => [...row, index === 0 ? 'WHY NOT' : (reasons[index - 1] ?? '')])
  if (isWithin(wide, width)) return table(wide, paint)
  if (!isWithin(rows, width)) return fittedTable(wide, { paint, width })
  const lines = table(rows, paint).split('\n')
  return lines.flatMap((line, index) => [line, ...(reasons[index - 1] ? [`    ${reasons[index - 1]}`] : [])]).join('\n')
}

function endpointRow(endpoint: EndpointDetail, policies: readonly ('Cluster' | 'Local')[]): readonly Cell[] {
  const { pod, node, local, ready, terminating } = endpoint
  return [
    plain(endpoint.endpoint),
    plain(pod === null ? '-' : pod.slice(pod.indexOf('/') + 1)),
    `${plain(node ?? '-')}${local ? ' (here)' : ''}`,
    terminating ? 'terminating' : ready ? 'ready' : 'not ready',
    ...policies.map((policy): Cell => {
      const { share = 0 } = chanceUnder(endpoint, policy) ?? {}
      return share > 0 ? { text: `${Math.round(share * 1000) / 10} %`, style: 'good' } : '-'
    }),
  ]
}

function reasonsAgainst(endpoint: EndpointDetail, policies: readonly ('Cluster' | 'Local')[]): string {
  const reasons = policies.flatMap(policy => {
    const reason = chanceUnder(endpoint, policy)?.reason ?? null
    return reason === null ? [] : [{ policy, reason: plain(reason) }]
  })
  const [first, second] = reasons
  if (first === undefined) return ''
  if (policies.length === 1 || first.reason === second?.reason) return first.reason
  return reasons.map(({ policy, reason }) => `${policy}: ${reason.replace(', and the policy is Local', '')}`).join('; ')
}
