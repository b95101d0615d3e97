// Loading kernel modules.
import { CommandError, type Exec } from './exec.ts'

export interface MissingModule {
  readonly name: string
  readonly reason: string
}

/** Loads each one; gives those that could not be. A module that is built into the kernel counts as loaded. */
export async function loadModules(names: readonly string[], exec: Exec): Promise<readonly MissingModule[]> {
  const missing: MissingModule[] = []
  for (const name of names) {
    try {
      await exec({ argv: ['modprobe', '--', name] })
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      if (error.failure === 'not found') return [{ name: names.join(', '), reason: error.message }]
      missing.push({ name, reason: error.message })
    }
  }
  return missing
}
