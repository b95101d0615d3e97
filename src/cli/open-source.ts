// Where the cluster's objects come from, as configured.
import type { Config } from '../config/config.ts'
import { manifestFolder } from '../source/manifest/folder.ts'
import type { Source } from '../source/source.ts'
import type { Logger } from './log.ts'

export function openSource(config: Config, log: Logger): Source {
  if (config.source.kind !== 'manifests') {
    throw new Error('no source of objects: name a folder of manifests by --manifests (following an API server is not built yet)')
  }
  return manifestFolder({
    folder: config.source.directory,
    report: ({ severity, where, problem, advice }) =>
      log[severity === 'warning' ? 'warn' : severity](`${where}: ${problem}; ${advice}`),
  })
}
