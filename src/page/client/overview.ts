// How the daemon is: what `switchyard status` prints.
import type { DrainStatus, FamilyStatus, Status, WatchStatus } from '../../server/status-object.ts'
import { since } from './clock.ts'
import { badge, type Child, element, table } from './dom.ts'
import { serviceLink } from './route.ts'
import { count, grouped, listed } from './text.ts'

export function statusView(status: Status): readonly Child[] {
  return [facts(status), problems(status), familyTable(status), quarantined(status), remarks(status), drains(status)]
}

function facts({ ready, mode, families, startedAt, source }: Status): HTMLElement {
  const { services, endpointSlices, endpoints } = source.objects
  const waiting = families.flatMap(({ waitingSince }) => waitingSince ?? []).sort()[0]
  const draining = families.reduce((sum, { drains: some }) => sum + some.length, 0)
  const held = new Set(families.flatMap(({ quarantined: some }) => some.map(({ service }) => service))).size
  const repaired = families.reduce((sum, { driftRepaired }) => sum + driftRepaired, 0)
  const fact = (title: string, value: Child, more: Child = undefined): HTMLElement =>
    element('div', {}, element('dt', {}, title), element('dd', {}, value, more === undefined ? more : element('small', {}, more)))
  return element(
    'dl',
    { class: 'facts' },
    fact('State', badge(ready ? 'good' : 'bad', ready ? 'Ready' : 'Not ready'), upFor(startedAt)),
    fact('Mode', mode, listed(families.map(({ family }) => family))),
    fact('Services', grouped(services), `${count(endpoints, 'endpoint')} in ${count(endpointSlices, 'slice')}`),
    fact('Oldest change not in the kernel', waiting === undefined ? 'none' : since(waiting, 'for')),
    fact('Quarantined', held === 0 ? '0' : badge('bad', String(held)), 'refused by the kernel'),
    fact('Draining', grouped(draining), 'real servers'),
    fact('Drift repaired', grouped(repaired), 'since the start'),
    fact('Source', freshness(source), source.description),
  )
}

function upFor(startedAt: string): HTMLElement {
  return element('span', {}, 'up ', since(startedAt, 'for'))
}

/** The watch that was silent for longest speaks for all. */
function freshness({ watches, complete }: Status['source']): Child {
  if (!complete) return badge('warn', 'not read yet')
  if (watches.length === 0) return badge('good', 'read')
  const failing = watches.filter(({ failure }) => failure !== null)
  if (failing.length > 0) return badge('bad', `${failing.length} of ${watches.length} watches fail`)
  const oldest = watches.flatMap(({ lastContact }) => lastContact ?? []).sort()[0]
  return oldest === undefined ? badge('warn', 'nothing heard') : element('span', {}, 'heard ', since(oldest))
}

function problems({ missing, families, parameters = [], notInForce = [], source, ready }: Status): Child {
  const lines: Child[] = [
    ...missing,
    ...families.flatMap(({ family, failures, lastFailure }) => {
      const times = failures === 1 ? 'once' : `${failures} times in a row`
      return failures === 0 ? [] : [`${family}: failed ${times}: ${lastFailure ?? ''}`]
    }),
    ...notInForce.map(({ field, inFile, inForce, reason }) => {
      if (field === null) return `the changed configuration is refused, the old one stays in force: ${reason}`
      return `${field} is ${inForce}, not ${inFile} as in the file: ${reason}`
    }),
    ...parameters.map(({ name, is, expected, meaning }) => {
      return `kernel parameter ${name}: ${is ?? 'absent'}, expected ${expected}: ${meaning}`
    }),
    ...(source.unread ?? []).map(({ where, problem, kept }) => {
      return `${where} cannot be read: ${problem}; ${kept ? 'its last good version is in force' : 'nothing of it is in force'}`
    }),
    ...(source.unreadable
      ? ['something cannot be read and has no earlier version: nothing stale is removed, since it may be its (the log names all)']
      : []),
    ...source.watches.filter(({ failure, synced }) => failure !== null || !synced).map(watchProblem),
  ]
  if (lines.length === 0) return undefined
  const title = ready ? 'What is wrong' : 'What keeps it from being ready'
  const items = lines.map(line => element('li', {}, line))
  return element('section', { class: 'panel problem' }, element('h2', {}, title), element('ul', {}, ...items))
}

function watchProblem({ resource, synced, failure, lastContact }: WatchStatus): HTMLElement {
  const heard = lastContact === null ? 'nothing heard yet' : element('span', {}, 'last heard ', since(lastContact))
  const words = `${synced ? '' : ', not read completely yet'}${failure === null ? '' : `, ${failure}`}`
  return element('span', {}, `watch of ${resource}: `, heard, words)
}

function familyTable({ families, source }: Status): HTMLElement {
  const columns = [
    { title: 'Family' },
    { title: 'State' },
    { title: 'Full sync' },
    { title: 'Partial sync' },
    { title: 'Waiting' },
    { title: 'Services', numeric: true },
    { title: 'Quarantined', numeric: true },
    { title: 'Draining', numeric: true },
    { title: 'Drift repaired', numeric: true },
  ]
  const watches = source.watches.map(({ resource, lastContact }) =>
    element('span', {}, `${resource} `, lastContact === null ? 'never' : since(lastContact)),
  )
  return element(
    'section',
    { class: 'panel' },
    element('h2', {}, 'IP families'),
    table('IP families', columns, families.map(familyRow)),
    watches.length === 0 ? undefined : element('p', { class: 'watches' }, 'Last heard of the API server: ', ...watches),
  )
}

function familyRow(family: FamilyStatus): readonly Child[] {
  const when = (time: string | null): Child => (time === null ? 'never' : since(time))
  return [
    element('strong', {}, family.family),
    family.ready ? badge('good', 'ready') : badge('bad', 'not ready'),
    when(family.lastFullSync),
    when(family.lastPartialSync),
    family.waitingSince === null ? 'nothing' : since(family.waitingSince, 'for'),
    grouped(family.services),
    family.quarantined.length === 0 ? '0' : badge('bad', String(family.quarantined.length)),
    grouped(family.drains.length),
    grouped(family.driftRepaired),
  ]
}

function named(service: string | null): Child {
  return service === null ? undefined : element('a', { href: serviceLink(service) }, service)
}

function quarantined({ families }: Status): Child {
  const rows = families.flatMap(({ family, quarantined: some }) =>
    some.map(({ service, reason }): readonly Child[] => [family, named(service), reason]),
  )
  const columns = [{ title: 'Family' }, { title: 'Service' }, { title: 'Reason' }]
  return section('Quarantined', 'The kernel refuses their rules; they keep what they had.', { columns, rows })
}

/** Both families say the same of a dual-stack Service. */
function remarks({ families }: Status): Child {
  const all = new Map(families.flatMap(({ remarks: some }) => some.map(remark => [JSON.stringify(remark), remark] as const)))
  const rows = [...all.values()].map(({ service, message }): readonly Child[] => [named(service), message])
  const columns = [{ title: 'Service' }, { title: 'Remark' }]
  return section('Remarks', 'What Services ask for and do not get on this node; the rest of them is programmed.', {
    columns,
    rows,
  })
}

function drains({ families }: Status): Child {
  const columns = ['Virtual server', 'Real server', 'Service', 'For', 'Why', 'Cut at the latest'].map(title => ({ title }))
  const rows = families.flatMap(({ drains: some }) =>
    some.map((drain): readonly Child[] => [
      element('code', {}, drain.server),
      element('code', {}, drain.realServer),
      named(drain.service),
      since(drain.since, 'for'),
      why(drain),
      since(drain.until, 'in'),
      drain.connections === null ? '?' : grouped(drain.connections),
    ]),
  )
  const all = [...columns, { title: 'Connections', numeric: true }]
  return section('Draining', 'Connections go on, new ones go elsewhere.', { columns: all, rows })
}

function why({ retiring, service, goneSince }: DrainStatus): string {
  if (retiring) return 'change of mode'
  if (service === null) return 'port is gone'
  return goneSince === null ? 'not selected now' : 'endpoint is gone'
}

const mostRows = 100

interface Rows {
  readonly columns: readonly { readonly title: string }[]
  readonly rows: readonly (readonly Child[])[]
}

/** Nothing where there are no rows. */
function section(title: string, about: string, { columns, rows }: Rows): Child {
  if (rows.length === 0) return undefined
  const more = rows.length > mostRows ? `The first ${mostRows} of ${grouped(rows.length)}; \`switchyard status\` has all.` : ''
  return element(
    'section',
    { class: 'panel' },
    element('h2', {}, `${title} (${grouped(rows.length)})`),
    element('p', { class: 'about' }, about),
    table(title, columns, rows.slice(0, mostRows)),
    more === '' ? undefined : element('p', { class: 'about' }, more),
  )
}
