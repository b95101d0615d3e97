// npm run build: src/ → dist/, which is all that ships beside Node itself. `node scripts/build.ts [FOLDER]` writes elsewhere.
// dist/switchyard.mjs is the command; dist/parts/ holds what it loads late (an agent that follows manifests never reads the HTTP
// client); dist/page.html is what the metrics port shows at `/`. Names stay as they are in the source, so that a stack trace reads
// without the source maps that lie beside.
import { chmod, copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build as bundle, type Metafile, type Plugin } from 'esbuild'
import { composePage } from '../src/server/page-source.ts'
import { thirdPartyNotices } from './third-party-notices.ts'

const root = join(import.meta.dirname, '..')
const client = '@kubernetes/client-node'

/**
 * By default V8 lets garbage pile up to several times what is in use before it collects any, and the C library keeps a heap for each thread; an agent on
 * every node had better spend a little more time and half the memory. What can only be set when Node starts is set here, the rest in
 * src/cli/give-memory-back.ts.
 */
const start = 'MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --heap-growing-percent=100 --expose-gc'

/** Replaces the folder. Gives esbuild's account of what is in which file. */
export async function build(directory: string): Promise<Metafile> {
  await rm(directory, { recursive: true, force: true })
  const { metafile, warnings } = await bundle({
    absWorkingDir: root,
    stdin: {
      contents: `#!/usr/bin/env -S ${start}\nimport './src/main.ts'\n`,
      resolveDir: root,
      sourcefile: 'switchyard.ts',
    },
    outdir: directory,
    entryNames: 'switchyard',
    chunkNames: 'parts/[name]-[hash]',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    metafile: true,
    define: { SWITCHYARD_VERSION: JSON.stringify(await version()), SWITCHYARD_PAGE: JSON.stringify('../page.html') },
    // CommonJS packages ask for Node's own modules by `require`, which an ES module does not have.
    banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
    plugins: [credentialsOnly, httpAlone],
  })
  if (warnings.length > 0) throw new Error(`esbuild had ${warnings.length} warnings (above); the bundle may not work`)
  await chmod(join(directory, 'switchyard.mjs'), 0o755)
  await writeFile(join(directory, 'page.html'), composePage())
  await copyFile(join(root, 'LICENSE'), join(directory, 'LICENSE'))
  await writeFile(join(directory, 'THIRD-PARTY-NOTICES.txt'), await thirdPartyNotices(root, Object.values(metafile.outputs)))
  return metafile
}

/**
 * Of client-node we use KubeConfig alone, but its index re-exports a class for each type of the Kubernetes API: 15 MB of source
 * that no bundler dares to drop, since defining a class could have side effects. Here they have none.
 */
const credentialsOnly: Plugin = {
  name: 'credentials only',
  setup({ onResolve, onLoad, resolve: ask }) {
    const asked = Symbol('asked')
    onResolve({ filter: new RegExp(`^${client}$`) }, () => ({ path: client, namespace: 'credentials' }))
    onLoad({ filter: /./, namespace: 'credentials' }, () => {
      return { contents: `export { KubeConfig } from './node_modules/${client}/dist/config.js'`, resolveDir: root }
    })
    onResolve({ filter: /^\./ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === asked || !importer.includes(`node_modules/${client}/`)) return undefined
      return { ...(await ask(path, { importer, resolveDir, kind, pluginData: asked })), sideEffects: false }
    })
  },
}

/**
 * An `import` of node:http reads all that it exports, so also WebSocket, for which Node loads a whole other HTTP client: 10 MB of memory
 * and 70 ms. `require` reads only what is asked for.
 */
const httpAlone: Plugin = {
  name: 'http alone',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) => {
      return kind === 'import-statement' ? { path: 'http', namespace: 'required' } : undefined
    })
    onLoad({ filter: /./, namespace: 'required' }, () => ({ contents: "module.exports = require('node:http')", loader: 'js' }))
  },
}

async function version(): Promise<string> {
  const file: Record<string, unknown> = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  if (typeof file['version'] !== 'string') throw new Error('package.json has no version')
  return file['version']
}

if (import.meta.main) {
  const directory = resolve(process.argv[2] ?? join(root, 'dist'))
  const { outputs } = await build(directory)
  const code = Object.entries(outputs).filter(([path]) => path.endsWith('.mjs'))
  const kilobytes = Math.round(code.reduce((sum, [, { bytes }]) => sum + bytes, 0) / 1000)
  process.stdout.write(`${directory}: switchyard.mjs and ${code.length - 1} parts, ${kilobytes} kB without source maps\n`)
}
