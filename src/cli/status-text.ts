// The status object → text for people. Pure: the same text for the same object. Ages count from the object's own time, since the daemon said it then.
// What comes over the network, or from a tool's complaint, is shown without control characters: a terminal obeys those.
import type { DrainStatus, FamilyStatus, Status, WatchStatus } from '../server/status-object.ts'
import { plain } from './plain.ts'
import { type Cell, type Paint, table } from './table.ts'

export function statusText(status: Status, paint: Paint): string {
  const blocks = [
    heading(status, paint),
    families(status, paint),
    problems(status, paint),
    quarantined(status, paint),
    remarks(status),
    drains(status),
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
    `mode ${plain(mode)}, up ${span(time, startedAt)}, ${plain(source.description)}: ${known}`,
    ...source.watches.map(watch => watchLine(watch, { now: time, paint })),
  ].join('\n')
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`
}

function watchLine(
  { resource, synced, lastContact, failure }: WatchStatus,
  { now, paint }: { readonly now: string; readonly paint: Paint },
): string {
  const heard = lastContact === null ? 'nothing heard yet' : `last heard ${span(now, lastContact)} ago`
  const read = synced ? '' : ', not read completely yet'
  return `watch of ${plain(resource)}: ${heard}${read}${failure === null ? '' : `, ${paint('bad', plain(failure))}`}`
}

function families({ families: all, time }: Status, paint: Paint): string {
  const title = [
    'FAMILY',
    'READY',
    'FULL SYNC',
    'PARTIAL SYNC',
    'WAITING',
    'SERVICES',
    'QUARANTINED',
    'DRAINING',
    'DRIFT REPAIRED',
  ]
  const rows = all.map((family): readonly Cell[] => [
    family.family,
    { text: family.ready ? 'yes' : 'no', style: family.ready ? 'good' : 'bad' },
    ago(time, family.lastFullSync),
    ago(time, family.lastPartialSync),
    waiting(time, family.waitingSince),
    String(family.services),
    { text: String(family.quarantined.length), ...(family.quarantined.length > 0 && { style: 'bad' as const }) },
    String(family.drains.length),
    String(family.driftRepaired),
  ])
  return table([title, ...rows], paint)
}

/** For how long the oldest change that the kernel does not have yet has been known. */
function waiting(now: string, since: string | null): Cell {
  return since === null ? '-' : { text: span(now, since), style: 'bad' }
}

/** What keeps the node from being as it should be. */
function problems({ missing, families: all, source }: Status, paint: Paint): string {
  const lines = [
    ...missing.map(plain),
    ...all.flatMap(familyProblems),
    ...(source.unreadable
      ? ['something cannot be read and has no earlier version: nothing stale is removed (the log names it)']
      : []),
  ]
  return lines.map(line => `${paint('bad', '!')} ${line}`).join('\n')
}

function familyProblems({ family, failures, lastFailure }: FamilyStatus): readonly string[] {
  const times = failures === 1 ? 'once' : `${failures} times in a row`
  return failures === 0 ? [] : [`${family}: failed ${times}: ${plain(lastFailure ?? '')}`]
}

function quarantined({ families: all }: Status, paint: Paint): string {
  const rows = all.flatMap(({ family, quarantined: some }) =>
    some.map(({ service, reason }): readonly Cell[] => [family, plain(service), plain(reason)]),
  )
  return section(
    'Quarantined: the kernel refuses their rules, they keep what they had',
    [['FAMILY', 'SERVICE', 'REASON'], ...rows],
    paint,
  )
}

/** Both families say the same of a dual-stack Service. */
function remarks({ families: all }: Status): string {
  const lines = all.flatMap(({ remarks: some }) =>
    some.map(({ service, message }) => `Service ${plain(service)} ${plain(message)}`),
  )
  return [...new Set(lines)].join('\n')
}

function drains({ families: all, time }: Status): string {
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
  return section('Draining: connections go on, new ones go elsewhere', [title, ...rows], (_, text) => text)
}

function why({ retiring, service, goneSince }: DrainStatus): string {
  if (retiring) return 'change of mode'
  if (service === null) return 'port is gone'
  return goneSince === null ? 'not selected now' : 'endpoint is gone'
}

/** Nothing where there is only the title. */
function section(heading: string, rows: readonly (readonly Cell[])[], paint: Paint): string {
  return rows.length === 1 ? '' : `${heading}\n${table(rows, paint)}`
}

function ago(now: string, then: string | null): string {
  return then === null ? 'never' : `${span(now, then)} ago`
}

/** The time between two, in its two largest units: `3 h 12 min`. */
function span(later: string, earlier: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(later) - Date.parse(earlier)) / 1000))
  if (Number.isNaN(seconds)) return '?'
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return two([Math.floor(seconds / 60), 'min'], [seconds % 60, 's'])
  if (seconds < 86_400) return two([Math.floor(seconds / 3600), 'h'], [Math.floor(seconds / 60) % 60, 'min'])
  return two([Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'])
}

type Amount = readonly [number, string]

function two([large, unit]: Amount, [small, smaller]: Amount): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smaller}`
}
