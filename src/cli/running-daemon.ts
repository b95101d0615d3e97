// The Switchyard that programs this node already, asked until it is ready.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import { hostPort } from '../model/address.ts'
import { type Status, statusPath } from '../server/status-object.ts'
import { askDaemon } from './ask-daemon.ts'

const mostTries = 60

/** Throws, in words for the user, where it does not answer or is not ready within a minute. @param heldBy how it calls itself. */
export async function readyDaemon(heldBy: string, { metricsBind }: Pick<Config, 'metricsBind'>): Promise<Status> {
  if (metricsBind === undefined) {
    throw new Error(`${heldBy} programs this node, and cannot be asked whether it is ready: metricsBindAddress is empty`)
  }
  const place = { 'metrics-bind-address': hostPort(metricsBind.address, metricsBind.port) }
  for (let tries = 1; ; tries++) {
    const answer = await askDaemon<Status>({ place, path: statusPath, kind: 'Status' })
    if ('problem' in answer) throw new Error(`${heldBy} programs this node, but ${answer.problem}`)
    if (answer.object.ready) return answer.object
    if (tries === mostTries) throw new Error(`${heldBy} programs this node and is not ready: ${answer.object.missing.join('; ')}`)
    await sleep(1000)
  }
}
