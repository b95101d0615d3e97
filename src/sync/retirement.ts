// After another mode took over in a family: what the former one left is watched until its connections are over, and removed then. Runs beside the
// sync of the mode that is in force, and touches nothing of that one's.
import type { Exec } from '../kernel/exec.ts'
import type { Drain, EarlierDrains, Mode } from '../modes/mode.ts'
import { backoff } from './coalesce.ts'
import { emptyCluster } from './decisions.ts'
import { asEarlier } from './drain-keeper.ts'
import { createSyncEmitter, type SyncEmitter } from './events.ts'
import { FamilySync } from './family-sync.ts'
import type { PassInput } from './pass-input.ts'

export interface RetirementOptions {
  // biome-ignore lint/suspicious/noExplicitAny: nothing here looks into the states of a mode.
  readonly mode: Mode<any, any>
  readonly exec: Exec
  readonly events: SyncEmitter
  readonly input: () => PassInput
  readonly now: () => number
  readonly earlierDrains: EarlierDrains
  /** A cheap look whether another mode left anything at all. */
  readonly isAnythingLeft: () => Promise<boolean>
}

/** Milliseconds between two looks at the connections. */
const betweenLooks = 5000

/**
 * With net.ipv4.vs.expire_nodest_conn, IPVS drops the repeated SYN of a connection whose real server has weight 0, and forgets the connection. So one
 * whose first SYN is on its way when another mode takes over gets time for its answer: three SYNs. Nothing new comes to IPVS meanwhile.
 */
const halfOpenMs = 5000

/** Resolves when nothing of the former mode is left, or the signal aborts; never rejects. */
export async function retire(options: RetirementOptions, signal: AbortSignal): Promise<void> {
  const { events, mode } = options
  const { family } = mode
  const tell = (drains: readonly Drain[]): void => void events.emit('draining', { family, retiring: true, drains })
  let { earlierDrains } = options
  let wasLeft = false
  for (let failures = 0; !signal.aborted; ) {
    const sync = newSync({ ...options, earlierDrains })
    try {
      if (!(await options.isAnythingLeft())) break
      if (failures === 0) await pause(halfOpenMs, signal)
      if ((await drain({ sync, options, tell }, signal)) > 0) wasLeft = true
      if (signal.aborted) return
      // A pass over what was just read shows that nothing is left; a link that both families had goes with the later one.
      const last = await newSync(options).pass({ ...options.input(), sweep: true })
      if (last.lines === 0) break
    } catch (error) {
      failures++
      wasLeft = true
      earlierDrains = new Map([...earlierDrains, ...asEarlier(sync.drains)])
      events.emit('retireFailed', { family, error: error instanceof Error ? error : new Error(String(error)), failures })
      await pause(backoff(failures), signal)
    }
  }
  if (wasLeft && !signal.aborted) events.emit('retired', { family })
}

/** Before `retireOnce`, where another mode has just taken over. */
export function waitForHalfOpen(): Promise<void> {
  return pause(halfOpenMs, new AbortController().signal)
}

/**
 * The same for a command that does not stay: what has no connection goes at once, all else loses its weight. Gives what is left with its
 * connections; whoever comes next goes on with it. Throws ApplyError or CommandError.
 */
export async function retireOnce(options: Omit<RetirementOptions, 'events' | 'isAnythingLeft'>): Promise<readonly Drain[]> {
  const sync = newSync(options)
  const input = { ...options.input(), sweep: true }
  await sync.pass(input)
  await sync.lookAtDrains()
  if (sync.isDirty) await sync.pass(input)
  return sync.drains
}

interface Draining {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly sync: FamilySync<any, any>
  readonly options: RetirementOptions
  readonly tell: (drains: readonly Drain[]) => void
}

/** Passes and looks until nothing drains; gives how many lines were written. */
async function drain({ sync, options, tell }: Draining, signal: AbortSignal): Promise<number> {
  let lines = 0
  while (!signal.aborted) {
    lines += (await sync.pass({ ...options.input(), sweep: true })).lines
    tell(sync.drains)
    if (sync.drains.length === 0) break
    while (!sync.isDirty && !signal.aborted) {
      await pause(betweenLooks, signal)
      if (signal.aborted) break
      await sync.lookAtDrains()
      tell(sync.drains)
    }
  }
  return lines
}

/** Its moments are not those of the mode in force, so nobody hears them. */
function newSync({ mode, exec, now, earlierDrains }: Pick<RetirementOptions, 'mode' | 'exec' | 'now' | 'earlierDrains'>) {
  return new FamilySync({ mode, exec, now, earlierDrains, cluster: emptyCluster, events: createSyncEmitter() })
}

/** Ends early when the signal aborts. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, signal.aborted ? 0 : milliseconds)
    signal.addEventListener('abort', done)
  })
}
