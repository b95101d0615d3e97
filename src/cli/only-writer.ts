// One writer a node: claim it, wait for a kube-proxy that still lives, and say so when one comes later.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Claim, claimNode, findKubeProxy } from '../kernel/writers.ts'
import type { Logger } from './log.ts'
import { version } from './version.ts'

export const kubeProxyPlace = { proc: '/proc', metricsPort: 10_249, healthPort: 10_256 }

/** Throws, naming the other one, where a Switchyard already runs in this network namespace. */
export async function claimThisNode(log: Logger): Promise<Claim> {
  const claim = await claimNode(`switchyard ${version()} (process ${process.pid})`)
  if ('release' in claim) return claim
  log.debug(claim)
  throw new Error(
    `${claim.heldBy} already programs this node; stop it first: two writers would undo each other's rules without end`,
  )
}

/** Both would write the same chains, so the first to come keeps them. */
export async function waitForKubeProxyToEnd(log: Logger, signal: AbortSignal): Promise<void> {
  for (let tries = 0; !signal.aborted; tries++) {
    const found = await findKubeProxy(kubeProxyPlace)
    if (found === undefined) {
      if (tries > 0) log.info('kube-proxy is gone; taking over its chains')
      return
    }
    if (tries % 30 === 0) {
      log.error(
        `${found} still programs this node; waiting until it ends. Stop it: its DaemonSet (a nodeSelector that matches nothing) or its service`,
      )
    }
    await sleep(2000, undefined, { signal }).catch(() => {})
  }
}

/** Looks again and again, and says once when a kube-proxy came and when it went. */
export async function watchForKubeProxy(options: {
  readonly log: Logger
  readonly everyMs: number
  readonly signal: AbortSignal
}): Promise<void> {
  const { log, everyMs, signal } = options
  let before: string | undefined
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    const found = await findKubeProxy(kubeProxyPlace).catch(() => undefined)
    if (found !== undefined && before === undefined) {
      log.error(
        `${found} was started and writes the same chains as this Switchyard; stop one of them, or they undo each other's rules without end`,
      )
    }
    if (found === undefined && before !== undefined) log.info(`${before} is gone`)
    before = found
  }
}
