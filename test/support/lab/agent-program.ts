// The agent as one plain JavaScript file, made once a lab: there is an agent in every namespace, and reading TypeScript is most
// of what it costs to start one (130 ms against 50 ms, and in user-mode Linux 3.2 s against 1.3 s).
import { join } from 'node:path'
import { build } from 'esbuild'

/** Bundles agent.ts into `directory` and gives the path of the program. */
export async function bundleAgent(directory: string): Promise<string> {
  const outfile = join(directory, 'agent.mjs')
  const entry = new URL('agent.ts', import.meta.url).pathname
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
  return outfile
}
