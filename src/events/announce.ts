// Moments → notes: what of all that happens is worth an Event, and in which words. Knows nothing of sending them.
import type { IpFamily } from '../model/address.ts'
import type { Service, ServiceKey } from '../model/objects.ts'
import type { KubernetesSourceEmitter, KubernetesSourceEvents } from '../source/kubernetes/source-events.ts'
import type { SyncEmitter, SyncEvents } from '../sync/events.ts'
import { StandingRemarks } from '../sync/standing-remarks.ts'
import { type ObserverLog, subscribe } from '../sync/subscribe.ts'
import type { Note, Regarding } from './note.ts'

export interface AnnounceOptions {
  readonly nodeName: string
  readonly events: SyncEmitter
  /** Undefined where the objects do not come from an API server. */
  readonly source: KubernetesSourceEmitter | undefined
  /** A Service as it is now; undefined where it is gone. */
  readonly service: (key: ServiceKey) => Service | undefined
  readonly publish: (note: Note) => void
  readonly log: ObserverLog
}

type Words = Pick<Note, 'type' | 'reason' | 'note'>

/** One failure is everyday life; a family that fails so often in a row has a problem. */
const failuresUntilTold = 3

/** The result ends it. */
export function announce({ nodeName, events, source, service, publish, log }: AnnounceOptions): () => void {
  const failing = new Set<IpFamily>()
  const aboutService = (key: ServiceKey, words: Words): void =>
    publish({ regarding: serviceReference(key, service(key)), action: 'Program', ...words })
  const aboutNode = (words: Words & { readonly action?: string }): void =>
    publish({ regarding: { kind: 'Node', name: nodeName }, action: 'Program', ...words })

  const quarantined = ({ family, service: key, reason: words }: SyncEvents['quarantined'][0]): void => {
    const note = `${nodeName}: the kernel refuses the ${family} rules of this Service, which keeps those that it had: ${words}`
    aboutService(key, { type: 'Warning', reason: 'ServiceQuarantined', note })
  }
  const released = ({ family, service: key }: SyncEvents['released'][0]): void => {
    const note = `${nodeName}: the ${family} rules of this Service are programmed again`
    aboutService(key, { type: 'Normal', reason: 'ServiceReleased', note })
  }
  const remarks = new StandingRemarks()
  const passStarted = (pass: SyncEvents['passStarted'][0]): void => remarks.passStarted(pass)
  const programmed = (pass: SyncEvents['programmed'][0]): void => remarks.programmed(pass)
  const remarked = (remark: SyncEvents['remarked'][0]): void => {
    if (!remarks.remarked(remark)) return
    aboutService(remark.service, { type: 'Warning', reason: remark.reason, note: `${nodeName}: this Service ${remark.message}` })
  }
  const syncFailed = ({ family, error, failures }: SyncEvents['syncFailed'][0]): void => {
    if (failures < failuresUntilTold) return
    failing.add(family)
    const note = `${family} rules cannot be programmed, changes of Services do not take effect on this node: ${error.message}`
    aboutNode({ type: 'Warning', reason: 'SyncFailed', note })
  }
  const synced = ({ family }: SyncEvents['synced'][0]): void => {
    if (!failing.delete(family)) return
    aboutNode({ type: 'Normal', reason: 'SyncRecovered', note: `${family} rules are programmed again` })
  }
  const failed = ({ failure }: KubernetesSourceEvents['failed'][0]): void => {
    if (failure.kind !== 'forbidden') return
    const note = `${failure.message}. ${failure.advice}`
    aboutNode({ type: 'Warning', reason: 'ResourceForbidden', action: 'Watch', note })
  }
  const listeners = { quarantined, released, passStarted, programmed, remarked, syncFailed, synced }
  const ends = [subscribe<SyncEvents>(events, listeners, log)]
  if (source !== undefined) ends.push(subscribe<KubernetesSourceEvents>(source, { failed }, log))
  return () => {
    for (const end of ends) end()
  }
}

export function startNote(nodeName: string, { version, mode }: { readonly version: string; readonly mode: string }): Note {
  const regarding = { kind: 'Node', name: nodeName } as const
  return { regarding, type: 'Normal', reason: 'Starting', action: 'Start', note: `Switchyard ${version} starts in ${mode} mode` }
}

/** A health check node port that somebody else has. Upstream's reason, so that alerts know it. */
export function healthCheckNote(
  key: ServiceKey,
  options: { service: Service | undefined; nodeName: string; message: string },
): Note {
  const regarding = serviceReference(key, options.service)
  const note = `${options.nodeName}: ${options.message}`
  return { regarding, type: 'Warning', reason: 'FailedToStartServiceHealthcheck', action: 'Listen', note }
}

/** A server of this process that cannot listen, and must (bindAddressHardFail). */
export function serverNote(nodeName: string, options: { server: 'health' | 'metrics'; message: string }): Note {
  const reason = options.server === 'health' ? 'FailedToStartProxierHealthcheck' : 'FailedToStartMetricServer'
  return { regarding: { kind: 'Node', name: nodeName }, type: 'Warning', reason, action: 'Listen', note: options.message }
}

function serviceReference(key: ServiceKey, service: Service | undefined): Regarding {
  const [namespace = '', name = ''] = key.split('/')
  return { kind: 'Service', namespace, name, uid: service?.uid ?? '' }
}
