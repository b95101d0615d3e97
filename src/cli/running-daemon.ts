// The Switchyard that programs this node already, asked until it is ready: for those who remove what served before it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import { hostPort } from '../model/address.ts'
import { type Status, statusPath } from '../server/status-object.ts'
import { askDaemon } from './ask-daemon.ts'

const mostTries = 60

/** Throws, in words for the user, where it does not answer, is not ready within a minute, or cannot program all that there is. @param heldBy how it calls itself. */
export async function readyDaemon(heldBy: string, { metricsBind }: Pick<Config, 'metricsBind'>): Promise<Status> {
  if (metricsBind === undefined) {
    throw new Error(`${heldBy} programs this node, and cannot be asked whether it is ready: metricsBindAddress is empty`)
  }
  const place = { 'metrics-bind-address': hostPort(metricsBind.address, metricsBind.port) }
  for (let tries = 1; ; tries++) {
    const answer = await askDaemon<Status>({ place, path: statusPath, kind: 'Status' })
    if ('problem' in answer) throw new Error(`${heldBy} programs this node, but ${answer.problem}`)
    const { ready, families, source } = answer.object
    const refused = [...new Set(families.flatMap(({ quarantined }) => quarantined.map(({ service }) => service)))]
    const lacks = [
      ...(source.unreadable ? [`not all of ${source.description} can be read`] : []),
      ...(refused.length > 0 ? [`the kernel refuses the rules of ${refused.join(', ')}`] : []),
    ]
    if (ready && lacks.length > 0) {
      const why = 'what a kube-proxy left may serve the rest, so it stays'
      throw new Error(`${heldBy} programs this node, but ${lacks.join(', and ')}: ${why}; 'switchyard status' says more`)
    }
    if (ready) return answer.object
    if (tries === mostTries) throw new Error(`${heldBy} programs this node and is not ready: ${answer.object.missing.join('; ')}`)
    await sleep(1000)
  }
}
