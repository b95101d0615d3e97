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

export function sweepNftables({ events, exec, log }: { events: SyncEmitter; exec: Exec; log: Logger }): void {
  const done = new Set<IpFamily>()
  const said = new Set<string>()
  const once = (level: 'warn' | 'info', message: string): void => {
    if (!said.has(message)) log[level](message)
    said.add(message)
  }
  let sweeps = false
  const sweep = async (family: IpFamily, { quarantined }: SyncReport): Promise<void> => {
    const table = proxyTable(family)
    if (!hasProxyTable((await exec(nftTablesQuery)).stdout, family)) return
    if (quarantined > 0) {
      done.delete(family)
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
    done.delete(family)
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
  events.on('synced', report => {
    const { family } = report
    if (!sweeps || done.has(family)) return
    done.add(family)
    sweep(family, report).catch((error: unknown) => fail(family, error))
  })
}
