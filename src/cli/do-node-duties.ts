// Connection tracking's limits and timeouts, and the process's oom score: set at start and when the configuration changes. What the
// kernel refuses is a warning, said once; it never ends the daemon.
import { cpus } from 'node:os'
import type { Config } from '../config/config.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { perform, plannedOomScore, plannedSysctls } from '../sync/node-duties.ts'
import type { Originals } from '../sync/originals.ts'
import type { Logger } from './log.ts'

/**
 * Gives a function that does the duties of a configuration; it never rejects.
 * @param scope `node`: without the oom score, which is the process's own.
 * @param originals where values from before are kept, for cleanup.
 */
export function nodeDuties(
  log: Logger,
  scope: 'node' | 'node and process',
  originals?: Originals,
): (config: Config) => Promise<void> {
  const said = new Set<string>()
  const kept = originals === undefined ? {} : { originals }
  return async config => {
    const sysctls = plannedSysctls(config.conntrack, { cores: cpus().length })
    const planned = scope === 'node' ? sysctls : [...sysctls, plannedOomScore(config.oomScoreAdj)]
    const { changed, refused } = await perform({
      planned,
      sysctl: createSysctl(config.sysctlRoot),
      files: createSysctl('/'),
      ...kept,
    })
    for (const { name, from, to, why } of changed) log.info(`${name}: ${from} -> ${to} (${why})`)
    for (const { message } of refused) {
      if (!said.has(message)) log.warn(message)
      said.add(message)
    }
  }
}
