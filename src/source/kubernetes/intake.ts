// Events of one stream → changes. While everything is being streamed they are only collected, and the version does not
// move; the end bookmark replaces all at once. After that each event is applied, and the version moves with it.
import type { ObjectChange } from '../source.ts'
import { StreamFault } from './failure.ts'
import type { ObjectIndex, Reading } from './object-index.ts'
import { isOlder, type WatchEvent } from './watch-event.ts'

/** What an event came to. */
export type Intake =
  | { readonly intake: 'collected' }
  /** The end bookmark: everything is known up to `version`. */
  | { readonly intake: 'read'; readonly version: string; readonly changes: readonly ObjectChange[] }
  | { readonly intake: 'applied'; readonly version: string; readonly changes: readonly ObjectChange[] }
  | { readonly intake: 'bookmark'; readonly version: string }

export type StreamEvent = Exclude<WatchEvent, { readonly type: 'ERROR' }>

/**
 * @param after the version after which the stream goes on; undefined where it begins with everything.
 * The returned function throws StreamFault `history changed` where versions go backwards.
 */
export function createIntake(index: ObjectIndex, after: string | undefined): (event: StreamEvent) => Intake {
  let version = after
  let collected: Map<string, Reading> | undefined = after === undefined ? new Map() : undefined

  return event => (collected === undefined ? apply(event) : collect(event, collected))

  function collect(event: StreamEvent, readings: Map<string, Reading>): Intake {
    if (event.type === 'BOOKMARK') {
      if (!event.endsInitialEvents) return { intake: 'collected' }
      collected = undefined
      version = event.resourceVersion
      return { intake: 'read', version, changes: index.replace(readings.values()) }
    }
    const reading = index.read(event.object)
    if (event.type === 'DELETED') readings.delete(reading.key)
    else readings.set(reading.key, reading)
    return { intake: 'collected' }
  }

  function apply(event: StreamEvent): Intake {
    const next = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.resourceVersion
    if (version !== undefined && isOlder(next, version)) {
      throw new StreamFault(
        'history changed',
        `after version ${version} the server sent version ${next}: it was restored from a backup`,
      )
    }
    version = next
    if (event.type === 'BOOKMARK') return { intake: 'bookmark', version }
    const reading = index.read(event.object)
    const changes = event.type === 'DELETED' ? index.remove(reading) : index.put(reading)
    return { intake: 'applied', version, changes }
  }
}
