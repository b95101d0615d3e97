// The packet counters of the kernel's rules → metrics, when they are asked for. The legacy backend reads a whole table for it, so
// two scrapes shortly after each other share one reading.
import type { Exec } from '../kernel/exec.ts'
import type { PacketCounters, PacketCounts } from '../modes/mode.ts'
import type { ObserverClock } from '../sync/clock.ts'
import type { ObserverLog } from '../sync/subscribe.ts'
import type { Metrics } from './metrics.ts'

export interface PacketCounterOptions {
  readonly metrics: Metrics
  /** One for each family whose mode counts, asked anew each time: none in ipvs mode, whose rules have nothing to count, so that all is 0. */
  readonly counters: () => readonly PacketCounters[]
  readonly exec: Exec
  readonly clock: ObserverClock
  readonly log: ObserverLog
}

const readEveryMs = 60_000

export function recordPacketCounters({ metrics, counters, exec, clock, log }: PacketCounterOptions): void {
  let readAt = Number.NEGATIVE_INFINITY
  metrics.onCollect(async () => {
    if (clock.now() - readAt < readEveryMs) return
    readAt = clock.now()
    const counts = await Promise.all(counters().map(counter => read(counter, exec)))
    setCounter('invalidDropped', counts)
    setCounter('localhostNodePortsAccepted', counts)
  })

  /** As long as the rules do not stand, the last value is the best there is. */
  async function read(counter: PacketCounters, run: Exec): Promise<PacketCounts | undefined> {
    try {
      const outputs: string[] = []
      let queries = counter.queries()
      while (queries.length > 0) {
        const printed: string[] = []
        for (const { argv } of queries) printed.push((await run({ argv })).stdout)
        outputs.push(...printed)
        queries = counter.next?.(printed) ?? []
      }
      return counter.parse(outputs)
    } catch (error) {
      log.debug(`packet counters: ${error instanceof Error ? error.message : error}`)
      return undefined
    }
  }

  function setCounter(name: keyof PacketCounts, counts: readonly (PacketCounts | undefined)[]): void {
    const known = counts.filter(count => count !== undefined)
    if (known.length < counts.length) return
    const metric = metrics.kubeProxy[name]
    metric.reset()
    metric.inc(known.reduce((total, count) => total + count[name], 0))
  }
}
