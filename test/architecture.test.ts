// The shape that docs/architecture.md promises: imports point one way, one file starts processes, the pure part is pure, files are small.
// Whoever needs an exception writes it here, where it is seen, and not in silence.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..')

/** Which other folders of src a folder may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  config: ['model'],
  kernel: ['model'],
  source: ['model'],
  modes: ['kernel', 'model'],
  sync: ['config', 'kernel', 'model', 'modes', 'source'],
  // The answers to why: from what the sync knows to objects that a command prints and a server serves.
  explain: ['kernel', 'model', 'modes', 'source', 'sync'],
  // Subscribers of named moments: they see the flow, the flow does not see them.
  events: ['model', 'source', 'sync'],
  health: ['model', 'modes', 'source', 'sync'],
  metrics: ['kernel', 'model', 'modes', 'source', 'sync'],
  server: ['config', 'events', 'explain', 'health', 'kernel', 'metrics', 'model', 'modes', 'source', 'sync'],
  // What runs in the browser: of the rest it knows only the shapes of what the server tells.
  page: ['explain', 'model', 'server'],
  cli: ['config', 'events', 'explain', 'health', 'kernel', 'metrics', 'model', 'modes', 'server', 'source', 'sync'],
  'main.ts': ['cli'],
}

/** Packages and Node's own modules that can change the machine or start something, and the only files that may use them. */
const reserved: Readonly<Record<string, readonly string[]>> = {
  execa: ['kernel/exec.ts'],
  'node:child_process': [],
  'node:cluster': [],
  'node:worker_threads': [],
  // With node:fs/promises.
  'node:fs': [
    'cli/ask-daemon.ts',
    'cli/config.ts',
    'cli/prepare-modes.ts',
    'cli/read-cluster.ts',
    'cli/run.ts',
    'cli/version.ts',
    'kernel/ipvs-leftovers.ts',
    'kernel/kernel-options.ts',
    'kernel/looking-exec.ts',
    'kernel/module-facts.ts',
    'kernel/probe.ts',
    'kernel/state-file.ts',
    'kernel/sysctl.ts',
    'kernel/writers.ts',
    'server/page-source.ts',
    'source/kubernetes/credentials.ts',
    'source/kubernetes/kubeconfig.ts',
    'source/manifest/reader.ts',
    'source/manifest/watch.ts',
  ],
  // 90 MB and 0.3 s: imported late, where a kubeconfig is really read.
  '@kubernetes/client-node': ['source/kubernetes/kubeconfig.ts'],
}

/** The pure part: the same answer on every machine, at any time. */
const pureFolders = ['model', 'modes']
const impure = [
  'Date.now',
  'new Date',
  'Math.random',
  'performance.',
  'process.',
  'console.',
  'setTimeout',
  'setInterval',
  'fetch(',
]
const pureModules = ['node:crypto', 'node:net', 'ipaddr.js']

const mostLines = 300

interface File {
  /** Inside src. */
  readonly path: string
  readonly text: string
  /** As they are written. */
  readonly imports: readonly string[]
}

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.ts'))
  .sort()
  .map((path): File => {
    const text = readFileSync(join(root, 'src', path), 'utf8')
    return { path, text, imports: importsOf(text) }
  })

/** Static, re-exporting, for side effects, dynamic, and of types. */
function importsOf(text: string): readonly string[] {
  const forms = [
    /^(?:import|export)\b[^'"]*\bfrom\s+['"]([^'"]+)['"]/gm,
    /^import\s+['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g,
  ]
  return forms.flatMap(form => [...text.matchAll(form)].map(([, specifier = '']) => specifier))
}

const folderOf = (path: string): string => path.split('/')[0] ?? path
/** The path inside src that a relative import of `from` leads to; undefined for a package. */
const targetOf = (from: string, specifier: string): string | undefined =>
  specifier.startsWith('.') ? relative(join(root, 'src'), join(root, 'src', dirname(from), specifier)) : undefined

const problemsIn = (problem: (file: File) => readonly string[]): readonly string[] =>
  files.flatMap(file => problem(file).map(text => `src/${file.path}: ${text}`))

describe('imports', () => {
  it('are found in all their forms', () => {
    const text = [
      "import type { A } from './a.ts'",
      'import {',
      '  b,',
      "} from 'b'",
      "export * from '../c.ts'",
      "import 'd'",
      "const e = await import('./e.ts')",
      "const no = 'not imported from anywhere'",
    ].join('\n')
    assert.deepEqual(importsOf(text).toSorted(), ['../c.ts', './a.ts', './e.ts', 'b', 'd'])
    assert.ok(files.length > 50 && files.flatMap(({ imports }) => imports).length > 200)
  })

  it('go from one folder of src to another only where that points down', () => {
    const wrong = problemsIn(({ path, imports }) =>
      imports.flatMap(specifier => {
        const target = targetOf(path, specifier)
        if (target === undefined || folderOf(target) === folderOf(path)) return []
        const allowed = mayImport[folderOf(path)] ?? []
        return allowed.includes(folderOf(target))
          ? []
          : [`imports ${specifier}; ${folderOf(path)} may import ${allowed.join(', ') || 'nothing'}`]
      }),
    )
    assert.deepEqual(wrong, [])
  })

  it('have a rule for every folder, and the rules allow no circle', () => {
    assert.deepEqual([...new Set(files.map(({ path }) => folderOf(path)))].toSorted(), Object.keys(mayImport).toSorted())
    const above = (folder: string, seen: readonly string[]): void => {
      assert.ok(!seen.includes(folder), `a circle: ${[...seen, folder].join(' -> ')}`)
      for (const next of mayImport[folder] ?? []) above(next, [...seen, folder])
    }
    for (const folder of Object.keys(mayImport)) above(folder, [])
  })

  it('never leave src', () => {
    assert.deepEqual(
      problemsIn(({ path, imports }) => imports.filter(specifier => targetOf(path, specifier)?.startsWith('..'))),
      [],
    )
  })

  it('keep one mode out of another: what they share stands beside them', () => {
    // modes/rules is what the modes share.
    const modeOf = (path: string): string | undefined => /^modes\/(?!rules\/)([^/]+)\//.exec(path)?.[1]
    const wrong = problemsIn(({ path, imports }) =>
      imports.filter(specifier => {
        const [own, other] = [modeOf(path), modeOf(targetOf(path, specifier) ?? '')]
        return other !== undefined && folderOf(path) === 'modes' && own !== other && path !== 'modes/index.ts'
      }),
    )
    assert.deepEqual(wrong, [])
  })

  it('of what can change the machine stand in the listed files alone, and every listed file needs its entry', () => {
    for (const [specifier, allowed] of Object.entries(reserved)) {
      const uses = (used: string): boolean => used === specifier || used.startsWith(`${specifier}/`)
      const users = files.filter(({ imports }) => imports.some(uses)).map(({ path }) => path)
      assert.deepEqual(users, allowed.toSorted(), specifier)
    }
  })
})

describe('the model and the modes', () => {
  const pure = files.filter(({ path }) => pureFolders.includes(folderOf(path)))

  it('know no clock, no chance, no process and no network', () => {
    assert.ok(pure.length > 10)
    const wrong = pure.flatMap(({ path, text }) => {
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      return impure.filter(word => code.includes(word)).map(word => `src/${path}: ${word}`)
    })
    assert.deepEqual(wrong, [])
  })

  it('use a few pure modules besides our own', () => {
    const wrong = pure.flatMap(({ path, imports }) =>
      imports
        .filter(specifier => !specifier.startsWith('.') && !pureModules.includes(specifier))
        .map(specifier => `src/${path}: ${specifier}`),
    )
    assert.deepEqual(wrong, [])
  })
})

describe('every file of src', () => {
  it('opens with a comment that says what it is', () => {
    assert.deepEqual(
      problemsIn(({ text }) =>
        /^\/\/ \S.{20,}/.test(text.startsWith('#!') ? text.slice(text.indexOf('\n') + 1) : text) ? [] : ['no header comment'],
      ),
      [],
    )
  })

  it(`has at most ${mostLines} lines`, () => {
    assert.deepEqual(
      problemsIn(({ text }) => {
        const lines = text.split('\n').length - 1
        return lines > mostLines ? [`${lines} lines; what is the second file called?`] : []
      }),
      [],
    )
  })
})
