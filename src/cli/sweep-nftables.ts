// After the first complete sync of a family: the table that a kube-proxy in nftables mode left goes. It translates the same packets as our rules: hooks of
// equal priority run latest first, and the first that translates a packet has the say, so in whatever order the two were made, new connections would
// go where that table, which nobody keeps up to date any more, sends them, or Services that are gone would still answer. Not before: until then it is
// what carries the traffic. Connections that it has translated go on.
import { CommandError, type Exec } from '../kernel/exec.ts'
import { deleteProxyTable, hasProxyTable, nftTablesQuery, proxyTable } from '../kernel/nftables.ts'
import { emptyPlan } from '../kernel/plan.ts'
import type { IpFamily } from '../model/address.ts'
import { applyPlan } from '../sync/apply.ts'
import type { SyncEmitter, SyncReport } from '../sync/events.ts'
import type { Logger } from './log.ts'

/** Milliseconds until what could not be told, or not be removed, is tried again: with the next pass then. */
const pauseMs = 30_000

export function sweepNftables(options: { events: SyncEmitter; exec: Exec; log: Logger; now?: () => number }): void {
  const { events, exec, log, now = () => performance.now() } = options
  /** By family, when it is tried next. */
  const next = new Map<IpFamily, number>()
  const again = (family: IpFamily): void => void next.set(family, now() + pauseMs)
  const said = new Set<string>()
  const once = (level: 'warn' | 'info', message: string): void => {
    if (!said.has(message)) log[level](message)
    said.add(message)
  }
  let sweeps = false
  /** Of the pass that is under way: what the source told of meanwhile is not in it. */
  const inPass = new Map<IpFamily, boolean>()
  const sweep = async (family: IpFamily, { quarantined }: SyncReport): Promise<void> => {
    const table = proxyTable(family)
    if (!hasProxyTable((await exec(nftTablesQuery)).stdout, family)) return
    if (quarantined > 0) {
      again(family)
      return once(
        'warn',
        `${table} of nftables, which a kube-proxy left, stays while Services are quarantined: it may serve them`,
      )
    }
    await applyPlan({ ...emptyPlan, steps: [deleteProxyTable(family)] }, exec)
    log.info({ family }, `removed ${table} of nftables, which a kube-proxy left`)
  }
  const fail = (family: IpFamily, error: unknown): void => {
    if (error instanceof CommandError && error.failure === 'not found') {
      once('info', 'nft is not here: if a kube-proxy in nftables mode ran on this node, its tables are to be removed by hand')
      return
    }
    again(family)
    const reason = error instanceof Error ? error.message : String(error)
    const advice = `where it is, connections may go where kube-proxy last sent them; remove it: nft delete ${proxyTable(family)}`
    once(
      'warn',
      `whether a kube-proxy left ${proxyTable(family)} of nftables cannot be told, or it cannot be removed: ${reason}; ${advice}`,
    )
  }
  events.on('changed', ({ complete, unreadable }) => {
    sweeps = complete && !unreadable
  })
  events.on('passStarted', ({ family }) => {
    inPass.set(family, sweeps)
  })
  events.on('synced', report => {
    const { family } = report
    if (inPass.get(family) !== true || now() < (next.get(family) ?? 0)) return
    next.set(family, Number.POSITIVE_INFINITY)
    sweep(family, report).catch((error: unknown) => fail(family, error))
  })
}
