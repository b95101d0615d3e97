// What the configuration files ask for and the running daemon does not do, with the reason: as data, for whoever asks how it is.
import type { Change } from './difference.ts'

export interface NotInForce {
  /** `ipvs.scheduler`; undefined: the files as a whole, since they are wrong. */
  readonly field: string | undefined
  /** Values as the file would have them; undefined for the files as a whole. */
  readonly inFile: string | undefined
  readonly inForce: string | undefined
  readonly reason: string
}

export function wrongFiles(reason: string): NotInForce {
  return { field: undefined, inFile: undefined, inForce: undefined, reason }
}

/** @param change From what is in force to what the file says. */
export function notTaken({ path, before, after }: Change, reason: string): NotInForce {
  return { field: path, inForce: before, inFile: after, reason }
}
