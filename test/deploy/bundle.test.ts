// The bundle: runs by itself, says the same as the checkout, reads its parts only when they are needed, and brings every licence.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Metafile } from 'esbuild'
import { execa } from 'execa'
import { build } from '../../scripts/build.ts'
import { bundledPackages, thirdPartyNotices } from '../../scripts/third-party-notices.ts'
import { composePage } from '../../src/server/page-source.ts'
import { fetchInside } from '../server/in-namespace.ts'
import { startBackground } from '../support/daemon/background.ts'
import { createNode } from '../support/daemon/node.ts'
import { switchyardFlags } from '../support/daemon/switchyard.ts'
import { poll } from '../support/lab/poll.ts'

const shebang = '#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --heap-growing-percent=100 --expose-gc'
const root = join(import.meta.dirname, '../..')

describe('the bundle', () => {
  let folder: string
  let metafile: Metafile

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'switchyard-bundle-'))
    metafile = await build(join(folder, 'dist'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const bundled = (): string => join(folder, 'dist/switchyard.mjs')

  for (const words of [['--version'], ['help'], ['run', '--help'], ['no-such-command'], ['--no-such-flag']]) {
    test(`says the same as the checkout to: switchyard ${words.join(' ')}`, async () => {
      const [ours, theirs] = await Promise.all(
        [bundled(), join(root, 'src/main.ts')].map(program =>
          execa(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...words], { reject: false, cwd: folder }),
        ),
      )
      assert.ok(ours !== undefined && theirs !== undefined)
      assert.notEqual(theirs.stdout + theirs.stderr, '')
      assert.deepEqual([ours.exitCode, ours.stdout, ours.stderr], [theirs.exitCode, theirs.stdout, theirs.stderr])
    })
  }

  test('is a program of its own', async () => {
    assert.equal((await readFile(bundled(), 'utf8')).split('\n', 1)[0], shebang)
    assert.equal((await stat(bundled())).mode & 0o111, 0o111)
  })

  test('has lines that a stack trace can show, and a source map for each file', async () => {
    for (const path of filesOf(metafile)) {
      const text = await readFile(join(root, path), 'utf8')
      assert.match(text, new RegExp(`\\n//# sourceMappingURL=${basename(path)}\\.map\\n$`))
      if (sourcesOf(metafile, [path]).some(source => source.startsWith('src/'))) {
        assert.ok(Math.max(...text.split('\n').map(line => line.length)) < 500, `${path} has long lines`)
      }
    }
  })

  test('reads nothing but the list of commands before it knows the command', () => {
    const sources = sourcesOf(metafile, loadedAtOnce(metafile, entryOf(metafile)))
    assert.deepEqual(
      sources.filter(source => source.startsWith('node_modules/')),
      [],
    )
  })

  test("reads no HTTP client but Node's own, and the kubeconfig library only for a user that has a plugin", () => {
    const entries = ['src/cli/run.ts', 'src/source/kubernetes/client.ts', 'src/source/kubernetes/credentials.ts'].map(source => {
      const path = filesOf(metafile).find(file => metafile.outputs[file]?.entryPoint === source)
      assert.ok(path !== undefined, `${source} is a part of its own`)
      return path
    })
    const sources = sourcesOf(
      metafile,
      entries.flatMap(entry => loadedAtOnce(metafile, entry)),
    )
    assert.ok(sources.includes('src/sync/engine.ts') && sources.includes('src/source/kubernetes/connection.ts'))
    assert.deepEqual(
      sources.filter(source => /node_modules\/(undici|@kubernetes\/client-node\/dist\/(?!config_types))/.test(source)),
      [],
    )
  })

  test('never imports node:http, which would load the WebSocket client that it exports', () => {
    const imported = filesOf(metafile).flatMap(path =>
      (metafile.outputs[path]?.imports ?? []).filter(({ kind, external }) => kind === 'import-statement' && external === true),
    )
    assert.ok(imported.some(({ path }) => path === 'node:https'))
    assert.deepEqual(
      imported.filter(({ path }) => /^(node:)?http$/.test(path)),
      [],
    )
  })

  test('takes of client-node what reads kubeconfigs, and none of its thousand types', () => {
    const sources = sourcesOf(metafile, filesOf(metafile))
    assert.ok(sources.includes('node_modules/@kubernetes/client-node/dist/config.js'))
    assert.deepEqual(
      sources.filter(source => source.includes('client-node/dist/gen/models/')),
      [],
    )
  })

  test('shows the page that lies beside it', async () => {
    const page = await readFile(join(folder, 'dist/page.html'), 'utf8')
    assert.equal(page, composePage())
    const asks = filesOf(metafile).filter(path => sourcesOf(metafile, [path]).includes('src/server/page-source.ts'))
    assert.deepEqual(
      asks.map(path => basename(dirname(path))),
      ['parts'],
    )
    await using node = await createNode('bundle')
    await node.run(['ip', 'link', 'set', 'lo', 'up'])
    const flags = await switchyardFlags({ node, config: { metricsBindAddress: '127.0.0.1:20249' } })
    await using _ = await startBackground(node, [process.execPath, bundled(), ...flags])
    const shown = await poll(
      async () => {
        const answer = await fetchInside(node.namespace, 'http://127.0.0.1:20249/')
        return 'body' in answer ? answer : undefined
      },
      { what: 'the page' },
    )
    assert.deepEqual([shown.status, shown.body], [200, page])
  })

  test('brings the licences: its own, and one section for each package in it', async () => {
    assert.equal(await readFile(join(folder, 'dist/LICENSE'), 'utf8'), await readFile(join(root, 'LICENSE'), 'utf8'))
    const notices = await readFile(join(folder, 'dist/THIRD-PARTY-NOTICES.txt'), 'utf8')
    const packages = bundledPackages(Object.values(metafile.outputs))
    assert.ok(packages.includes('node_modules/pino') && packages.includes('node_modules/@kubernetes/client-node'))
    for (const path of packages) {
      const { name, version, license } = JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8'))
      assert.ok(notices.includes(`\n${name} ${version} (${license})\n`), name)
    }
    assert.equal(notices.match(/^={80}$/gm)?.length, 2 * packages.length)
  })
})

describe('the notices', () => {
  const output = (...paths: readonly string[]) => ({
    inputs: Object.fromEntries(paths.map(path => [path, { bytesInOutput: path.includes('unused') ? 0 : 1 }])),
  })

  test('name the innermost package of a file, once, and only where something of it is left', () => {
    const outputs = [
      output('src/main.ts', 'node_modules/a/index.js', 'node_modules/a/lib/b.js', 'node_modules/a/node_modules/@s/c/d/e.js'),
      output('node_modules/@s/c/index.js', 'node_modules/unused/index.js', 'node_modules/a/index.js'),
    ]
    assert.deepEqual(bundledPackages(outputs), ['node_modules/a', 'node_modules/a/node_modules/@s/c', 'node_modules/@s/c'])
  })

  test('have the text of every licence file, and refuse a package that does not say how it is licensed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'switchyard-notices-'))
    const write = async (name: string, files: Readonly<Record<string, string>>): Promise<void> => {
      await mkdir(join(folder, 'node_modules', name), { recursive: true })
      for (const [file, text] of Object.entries(files)) await writeFile(join(folder, 'node_modules', name, file), text)
    }
    const manifest = (name: string, more: object): string => JSON.stringify({ name, version: '1.0.0', ...more })
    try {
      await write('b', {
        'package.json': manifest('b', { license: 'MIT' }),
        LICENSE: 'Take it.\n',
        'NOTICE.txt': 'Mind it.',
        'index.js': '',
      })
      await write('a', { 'package.json': manifest('a', { license: 'ISC' }) })
      await write('nameless', { 'package.json': manifest('nameless', {}) })
      const notices = await thirdPartyNotices(folder, [output('node_modules/b/index.js', 'node_modules/a/index.js')])
      const sections = notices.split(/^={80}\n/m).map(text => text.trim())
      assert.deepEqual(sections.slice(1), [
        'a 1.0.0 (ISC)',
        'The package has no licence file; its package.json says: ISC.',
        'b 1.0.0 (MIT)',
        'Take it.\n\nMind it.',
      ])
      await assert.rejects(thirdPartyNotices(folder, [output('node_modules/nameless/a.js')]), /nameless.* names no licence/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

function filesOf({ outputs }: Metafile): readonly string[] {
  return Object.keys(outputs).filter(path => path.endsWith('.mjs'))
}

function entryOf(metafile: Metafile): string {
  const entry = filesOf(metafile).find(path => basename(path) === 'switchyard.mjs')
  assert.ok(entry !== undefined)
  return entry
}

/** The file and all that it imports when it is loaded; not what it may import later. */
function loadedAtOnce({ outputs }: Metafile, file: string): readonly string[] {
  const loaded = new Set([file])
  for (const path of loaded) {
    const imports = outputs[path]?.imports ?? []
    for (const { path: imported, kind, external } of imports) {
      if (kind === 'import-statement' && external !== true) loaded.add(imported)
    }
  }
  return [...loaded]
}

/** The source files that are in these files of the bundle. */
function sourcesOf({ outputs }: Metafile, files: readonly string[]): readonly string[] {
  return files.flatMap(file =>
    Object.entries(outputs[file]?.inputs ?? {}).flatMap(([source, { bytesInOutput }]) => (bytesInOutput > 0 ? [source] : [])),
  )
}
