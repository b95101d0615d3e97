// The part of cleanup that is about kernel parameters: those that the state file tells of get back the values from before, each with
// a line that says so.
import { join } from 'node:path'
import { openStateFile, stateFileName } from '../kernel/state-file.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import { originalsIn, restoreOriginals } from '../sync/originals.ts'
import { complain, say } from './say.ts'

export interface ParametersToClean {
  /** Gives how many failed. */
  putBack(names: readonly string[] | 'all that are left'): Promise<number>
  /** Whether packets from outside reach 127.0.0.0/8, also after what a dry run would do. */
  isLocalnetRouted(): Promise<boolean>
  /** Nothing is left to clean: the state file goes. */
  forget(): Promise<void>
}

export async function openParameters(options: {
  readonly stateDirectory: string
  readonly sysctlRoot: string
  readonly dryRun: boolean
}): Promise<ParametersToClean> {
  const { stateDirectory, sysctlRoot, dryRun } = options
  const file = await openStateFile({ path: join(stateDirectory, stateFileName), warn: complain })
  const [originals, sysctl] = [originalsIn(file), createSysctl(sysctlRoot)]
  const done = new Set<string>()
  return {
    putBack: async wanted => {
      const names = (wanted === 'all that are left' ? originals.names() : wanted).filter(name => !done.has(name))
      const restorations = await restoreOriginals({ names, originals, sysctl, dryRun })
      for (const { name, outcome, message } of restorations) {
        if (outcome === 'restored') done.add(name)
        if (outcome === 'failed') complain(message)
        else say(`${dryRun && outcome === 'restored' ? 'would set ' : ''}${message}\n`)
      }
      return restorations.filter(({ outcome }) => outcome === 'failed').length
    },
    isLocalnetRouted: async () => !done.has(routeLocalnet) && (await sysctl.read(routeLocalnet)) === '1',
    forget: async () => {
      if (!dryRun) await file.discard()
    },
  }
}
