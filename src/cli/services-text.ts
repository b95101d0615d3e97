// The objects of /switchyard/v1/services → text for people. Pure; colour is the caller's to give.
import type {
  ClientFate,
  EndpointChance,
  EndpointDetail,
  ServiceAddress,
  ServiceDetail,
  ServiceList,
  ServicePortDetail,
  ServiceState,
} from '../explain/services-object.ts'
import { plain } from './plain.ts'
import { type Cell, type Paint, table } from './table.ts'

export function serviceListText({ services, total }: ServiceList, paint: Paint): string {
  if (total === 0) return 'No Service matches.\n'
  const title = ['SERVICE', 'TYPE', 'PROGRAMMED', 'READY', 'HERE', 'PORTS', 'ADDRESSES']
  const rows = services.map(({ service, type, state, endpoints, ports, addresses }): readonly Cell[] => [
    plain(service),
    plain(type),
    programmed(state),
    {
      text: `${endpoints.ready}/${endpoints.total}`,
      ...(endpoints.ready === 0 && state.programmed !== 'not ours' && { style: 'bad' as const }),
    },
    String(endpoints.local),
    plain(ports.map(port => port.split(' ')[0]).join(',')),
    plain(addresses.join(',')),
  ])
  const more = total > services.length ? `\n... ${total - services.length} more; --search narrows it down` : ''
  return `${table([title, ...rows], paint)}${more}\n`
}

export function serviceDetailText(detail: ServiceDetail, paint: Paint): string {
  const { service, type, state, ports, node, mode } = detail
  const { text, style } = programmed(state)
  const heading = `${paint('title', plain(service))}, ${plain(type)}, on node ${plain(node)} in mode ${plain(mode)}, programmed: ${style === undefined ? text : paint(style, text)}`
  const remarks = state.remarks.map(remark => `${paint('bad', '!')} ${plain(remark)}`)
  return `${[[heading, ...remarks].join('\n'), ...ports.map(port => portText(port, paint))].join('\n\n')}\n`
}

function programmed({ programmed: state }: ServiceState) {
  const style = state === 'yes' ? ('good' as const) : state === 'not ours' ? undefined : ('bad' as const)
  return { text: state, ...(style !== undefined && { style }) }
}

function portText(port: ServicePortDetail, paint: Paint): string {
  const { name, family, protocol, affinitySeconds, scheduler, addresses, endpoints } = port
  const extras = [
    ...(affinitySeconds === null ? [] : [`a client stays with its endpoint for ${affinitySeconds} s`]),
    ...(scheduler === null ? [] : [`scheduler ${plain(scheduler)}`]),
  ]
  const title = paint('title', [`${plain(name)}  ${family} ${protocol}`, ...extras].join(', '))
  const where = table([['ADDRESS', 'IS', 'FROM PODS', 'FROM THIS NODE', 'FROM OUTSIDE', ''], ...addresses.map(addressRow)], paint)
  return [title, trimmed(where), '', trimmed(endpointTable(endpoints, paint))].join('\n')
}

function addressRow({ address, kind, fates, sourceRanges }: ServiceAddress): readonly Cell[] {
  const fate = (client: string): Cell => fateCell(fates.find(each => each.client === client)?.fate)
  const ranges = sourceRanges.length === 0 ? '' : `only from ${sourceRanges.join(', ')}`
  return [plain(address), kind, fate('pod'), fate('node'), fate('outside'), plain(ranges)]
}

function fateCell(fate: ClientFate | undefined): Cell {
  if (typeof fate === 'object') return fate.to === 'Local' ? 'local endpoints' : 'endpoints'
  return { text: fate ?? '-', style: 'bad' }
}

function endpointTable(endpoints: readonly EndpointDetail[], paint: Paint): string {
  if (endpoints.length === 0) return '  no EndpointSlice names an endpoint for this port'
  const [hasCluster, hasLocal] = [
    endpoints.some(each => each.cluster !== null),
    endpoints.some(each => each.localPolicy !== null),
  ]
  // One policy needs no name.
  const both = hasCluster && hasLocal
  const title = [
    'ENDPOINT',
    ...(hasCluster ? ['SHARE'] : []),
    ...(hasLocal ? [both ? 'LOCAL SHARE' : 'SHARE'] : []),
    'POD',
    'NODE',
    'WHY',
  ]
  const rows = endpoints.map((each): readonly Cell[] => [
    each.endpoint,
    ...(hasCluster ? [share(each.cluster)] : []),
    ...(hasLocal ? [share(each.localPolicy)] : []),
    plain(each.pod ?? '-'),
    plain(`${each.node ?? '-'}${each.local ? ' (this)' : ''}`),
    plain(reasons(each, both)),
  ])
  return table([title, ...rows], paint)
}

function share(chance: EndpointChance | null): Cell {
  if (chance === null) return '-'
  return chance.share === 0 ? { text: 'none', style: 'bad' } : { text: `${(chance.share * 100).toFixed(1)} %`, style: 'good' }
}

/** Once where both policies have the same. */
function reasons({ cluster, localPolicy }: EndpointDetail, both: boolean): string {
  const [general, local] = [cluster?.reason ?? '', localPolicy?.reason ?? '']
  if (!both || general === local) return general || local
  return [general, local === '' ? '' : `local: ${local}`].filter(Boolean).join('; ')
}

function trimmed(text: string): string {
  return text
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}
