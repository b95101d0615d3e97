// The agent as one plain JavaScript file, made once a lab: there is an agent in every namespace, and reading TypeScript is most
// of what it costs to start one (130 ms against 50 ms, and in user-mode Linux 3.2 s against 1.3 s).
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

/** Bundles agent.ts into `directory`, with what it starts beside it, and gives the path of the program. */
export async function bundleAgent(directory: string): Promise<string> {
  const outfile = join(directory, 'agent.mjs')
  const entry = new URL('agent.ts', import.meta.url).pathname
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
  await copyFile(new URL('agent/sctp.pl', import.meta.url), join(directory, 'sctp.pl'))
  return outfile
}
