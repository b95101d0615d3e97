// Loading kernel modules.
import { CommandError, type CommandFailure, type Exec } from './exec.ts'

export interface MissingModule {
  readonly name: string
  readonly reason: string
  readonly failure: CommandFailure
}

/** Loads each one; gives those that could not be. A module that is built into the kernel counts as loaded. */
export async function loadModules(names: readonly string[], exec: Exec): Promise<readonly MissingModule[]> {
  const missing: MissingModule[] = []
  for (const name of names) {
    try {
      await exec({ argv: ['modprobe', '--', name] })
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      const { failure, message: reason } = error
      if (failure === 'not found') return [{ name: names.join(', '), reason, failure }]
      missing.push({ name, reason, failure })
    }
  }
  return missing
}
