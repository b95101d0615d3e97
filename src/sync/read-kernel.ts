// A mode's queries → what the kernel holds.
import type { Exec } from '../kernel/exec.ts'
import type { Aliases, Extent, Mode } from '../modes/mode.ts'
import { runQueries } from './apply.ts'

/** Throws CommandError, also where `signal` ends it. */
export async function readKernel<Observed>(options: {
  readonly mode: Pick<Mode<unknown, Observed>, 'queries' | 'parse' | 'reading'>
  readonly extent: Extent
  readonly aliases: Aliases
  readonly exec: Exec
  readonly signal?: AbortSignal | undefined
}): Promise<Observed> {
  const { mode, extent, aliases, exec, signal } = options
  const queries = mode.queries(extent)
  const [query] = queries
  const reading = mode.reading?.(extent, aliases)
  if (reading === undefined || query === undefined) return mode.parse(await runQueries(queries, exec, signal), extent, aliases)
  signal?.throwIfAborted()
  const onOutput = (piece: string): void => reading.take(piece)
  const { stdout } = await exec({ argv: query.argv, onOutput, ...(signal !== undefined && { signal }) })
  onOutput(stdout)
  return reading.end()
}
