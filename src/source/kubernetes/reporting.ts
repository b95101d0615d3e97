// Failures → what the operator is told, once each. A connection that breaks and is back a second later is nobody's business;
// a refusal is, at once. What concerns the server as a whole is said once, not once a resource.
import type { ReportProblem } from '../source.ts'
import type { FailureKind } from './failure.ts'
import type { KubernetesSourceEmitter, KubernetesSourceEvents } from './source-events.ts'

/** How a kind of failure is told. `whose`: whether other resources will fail alike. `after`: how many in a row it takes. */
interface Telling {
  readonly severity: 'error' | 'warning'
  readonly whose: 'server' | 'resource'
  readonly after: number
}

const atOnce = { severity: 'error', after: 1 } as const
const ifItGoesOn = { severity: 'warning', after: 3 } as const

const tellings: Readonly<Record<FailureKind, Telling | undefined>> = {
  unauthorized: { ...atOnce, whose: 'server', after: 2 },
  forbidden: { ...atOnce, whose: 'resource' },
  'not found': { ...atOnce, whose: 'resource' },
  expired: undefined,
  'selector rejected': undefined,
  rejected: { ...ifItGoesOn, whose: 'resource' },
  'too many requests': { ...ifItGoesOn, whose: 'server' },
  'version too new': undefined,
  'server error': { ...ifItGoesOn, whose: 'server' },
  network: { ...ifItGoesOn, whose: 'server' },
  certificate: { ...atOnce, whose: 'server', after: 2 },
  'timed out': { ...ifItGoesOn, whose: 'server' },
  credentials: { ...atOnce, whose: 'server' },
  'cut off': { ...ifItGoesOn, whose: 'server' },
  malformed: { ...ifItGoesOn, whose: 'resource' },
  'too long': { ...atOnce, whose: 'resource' },
  silent: { ...ifItGoesOn, whose: 'server', after: 1 },
  'short watch': { ...ifItGoesOn, whose: 'server' },
  'stream refused': undefined,
  'ended early': { ...ifItGoesOn, whose: 'resource' },
  'no end bookmark': undefined,
  'history changed': { ...ifItGoesOn, whose: 'server', after: 1 },
  handler: { ...atOnce, whose: 'resource' },
}

/** Subscribes for as long as the emitter lives. Before the first complete read it takes no more than two failures. */
export function reportFailures(events: KubernetesSourceEmitter, report: ReportProblem): void {
  const told = new Map<string, Set<string>>()

  events.on('failed', ({ resource, failure, failures, synced }) => {
    const telling = tellings[failure.kind]
    if (telling === undefined || failures < (synced ? telling.after : Math.min(telling.after, 2))) return
    const subject = telling.whose === 'server' ? failure.kind : `${failure.kind} ${resource}`
    const resources = told.get(subject) ?? new Set()
    if (resources.size === 0)
      report({ severity: telling.severity, where: whereOf(resource), problem: failure.message, advice: failure.advice })
    told.set(subject, resources.add(resource))
  })

  events.on('recovered', event => {
    for (const [subject, resources] of told) {
      if (!resources.delete(event.resource) || resources.size > 0) continue
      told.delete(subject)
      report(recovery(event))
    }
  })
}

function recovery({ resource, milliseconds }: KubernetesSourceEvents['recovered'][0]) {
  const problem = `followed again after ${Math.round(milliseconds / 1000)} s`
  return { severity: 'info', where: whereOf(resource), problem, advice: 'Nothing to do.' } as const
}

function whereOf(resource: string): string {
  return `watch of ${resource}`
}
