// The status object → text for people. Pure: the same text for the same object. Ages count from the object's own time, since the daemon said it then.
// What comes over the network, or from a tool's complaint, is shown without control characters: a terminal obeys those.
import { count } from '../model/count.ts'
import type { DrainStatus, FamilyStatus, Status, WatchStatus } from '../server/status-object.ts'
import { plain } from './plain.ts'
import { span } from './span.ts'
import { statusProblems } from './status-problems.ts'
import { type Cell, fittedTable, type Paint, table } from './table.ts'

export interface Screen {
  readonly paint: Paint
  /** Columns of the terminal. */
  readonly width: number
}

export function statusText(status: Status, screen: Screen): string {
  const { paint } = screen
  const blocks = [
    heading(status, paint),
    families(status, paint),
    problems(status, paint),
    quarantined(status, screen),
    remarks(status),
    drains(status, screen),
  ]
  return `${blocks.filter(Boolean).join('\n\n')}\n`
}

function heading(status: Status, paint: Paint): string {
  const { version, node, mode, startedAt, time, ready, source } = status
  const { services, endpointSlices, endpoints } = source.objects
  const state = ready ? paint('good', 'ready') : paint('bad', 'not ready')
  const known = `${count(services, 'Service')}, ${count(endpointSlices, 'EndpointSlice')} with ${count(endpoints, 'endpoint')}`
  return [
    `Switchyard ${plain(version)} on node ${plain(node)}: ${state}`,
    `mode ${plain(mode)}, up ${span(time, startedAt)}`,
    `${plain(source.description)}: ${known}`,
    ...source.watches.map(watch => watchLine(watch, { now: time, paint })),
  ].join('\n')
}

function watchLine(
  { resource, synced, lastContact, failure }: WatchStatus,
  { now, paint }: { readonly now: string; readonly paint: Paint },
): string {
  const heard = lastContact === null ? 'nothing heard yet' : `last heard ${span(now, lastContact)} ago`
  const read = synced ? '' : ', not read completely yet'
  return `watch of ${plain(resource)}: ${heard}${read}${failure === null ? '' : `, ${paint('bad', plain(failure))}`}`
}

/** A column a family: a row each would be wider than a terminal. */
function families({ families: all, time }: Status, paint: Paint): string {
  const row = (title: string, cell: (family: FamilyStatus) => Cell): readonly Cell[] => [title, ...all.map(cell)]
  return table(
    [
      row('FAMILY', ({ family }) => family),
      row('ready', ({ ready }) => ({ text: ready ? 'yes' : 'no', style: ready ? 'good' : 'bad' })),
      row('last full sync', ({ lastFullSync }) => ago(time, lastFullSync)),
      row('last partial sync', ({ lastPartialSync }) => ago(time, lastPartialSync)),
      row('oldest change', ({ waitingSince }) =>
        waitingSince === null ? 'none waits' : `waits for ${span(time, waitingSince)}`,
      ),
      row('Services', ({ services }) => String(services)),
      row('quarantined', ({ quarantined: { length } }) => ({
        text: String(length),
        ...(length > 0 && { style: 'bad' as const }),
      })),
      row('draining', ({ drains }) => String(drains.length)),
      row('drift repaired', ({ driftRepaired }) => String(driftRepaired)),
    ],
    paint,
  )
}

function problems(status: Status, paint: Paint): string {
  return statusProblems(status)
    .map(problem => `${paint('bad', '!')} ${plain(problem)}`)
    .join('\n')
}

function quarantined({ families: all }: Status, screen: Screen): string {
  const rows = all.flatMap(({ family, quarantined: some }) =>
    some.map(({ service, reason }): readonly Cell[] => [family, plain(service), plain(reason)]),
  )
  return section(
    'Quarantined: the kernel refuses their rules, they keep what they had',
    [['FAMILY', 'SERVICE', 'REASON'], ...rows],
    screen,
  )
}

/** Both families say the same of a dual-stack Service. */
function remarks({ families: all }: Status): string {
  const lines = all.flatMap(({ remarks: some }) =>
    some.map(({ service, message }) => `Service ${plain(service)} ${plain(message)}`),
  )
  return [...new Set(lines)].join('\n')
}

function drains({ families: all, time }: Status, screen: Screen): string {
  const title = ['VIRTUAL SERVER', 'REAL SERVER', 'SERVICE', 'FOR', 'WHY', 'CUT AT THE LATEST', 'CONNECTIONS']
  const rows = all.flatMap(family =>
    family.drains.map((drain): readonly Cell[] => [
      plain(drain.server),
      plain(drain.realServer),
      plain(drain.service ?? '-'),
      span(time, drain.since),
      why(drain),
      `${plain(drain.until).replace(/\.\d+Z$/, 'Z')} (in ${span(drain.until, time)})`,
      drain.connections === null ? '?' : String(drain.connections),
    ]),
  )
  return section('Draining: connections go on, new ones go elsewhere', [title, ...rows], screen)
}

function why({ retiring, service, goneSince }: DrainStatus): string {
  if (retiring) return 'change of mode'
  if (service === null) return 'port is gone'
  return goneSince === null ? 'not selected now' : 'endpoint is gone'
}

/** Nothing where there is only the title. */
function section(heading: string, rows: readonly (readonly Cell[])[], screen: Screen): string {
  return rows.length === 1 ? '' : `${heading}\n${fittedTable(rows, screen)}`
}

function ago(now: string, then: string | null): string {
  return then === null ? 'never' : `${span(now, then)} ago`
}
