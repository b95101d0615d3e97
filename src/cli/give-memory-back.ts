// Reading all rules, and rendering them for the first time, leaves twice the memory as garbage that is kept. V8 would hold on to it until it needs room;
// we give it back to the machine as soon as nothing is to be done. Takes half a second at 10,000 Services, so it waits for a quiet moment.
import { setFlagsFromString } from 'node:v8'
import type { SyncEmitter } from '../sync/events.ts'

/** Milliseconds without a change. */
const quietMs = 1000
/** Milliseconds: a shorter reading leaves less than it costs to look for. */
const longReadingMs = 250

/**
 * Until the first reading is compared nearly all that is made stays, and looking for garbage is in vain; from then on the heap grows by a fifth between
 * two looks, and what was compiled for the start alone goes.
 */
const flagsOnceSettled = ['--heap-growing-percent=20', '--flush-baseline-code', '--bytecode-old-age=1']

/** Once after the start, and after each long reading. Does nothing where Node was started without --expose-gc, as from a checkout. */
export function giveMemoryBack(events: SyncEmitter, { collect = collector(), setFlag = setFlagsFromString } = {}): void {
  if (collect === undefined) return
  let timer: NodeJS.Timeout | undefined
  let settled = false
  const whenQuiet = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      if (!settled) flagsOnceSettled.forEach(setFlag)
      settled = true
      collect()
    }, quietMs).unref()
  }
  events.on('checked', ({ extent, milliseconds }) => {
    if (extent === 'everything' && (!settled || milliseconds >= longReadingMs)) whenQuiet()
  })
  events.on('queued', () => {
    if (timer !== undefined) whenQuiet()
  })
}

function collector(): (() => void) | undefined {
  const { gc } = globalThis
  return gc === undefined ? undefined : () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
