// A real folder, followed while it changes in the ways in which editors, kubelets and operators change folders.
// "Nothing happens" is shown by a change that follows: whatever came before it would have come.
import assert from 'node:assert/strict'
import { appendFile, mkdir, rename, rm, symlink, truncate, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { manifestFolder } from '../../../src/source/manifest/folder.ts'
import type { OpenWatch } from '../../../src/source/manifest/watch.ts'
import { eventually, type Follower, type FollowOptions, follow, service, serviceObject, temporaryFolder } from './follower.ts'

type Files = Readonly<Record<string, string>>

async function following(
  context: TestContext,
  files: Files,
  options?: FollowOptions,
): Promise<{ follower: Follower; path: (name: string) => string; folder: string }> {
  const folder = await temporaryFolder(context)
  const path = (name: string): string => join(folder, name)
  for (const [name, text] of Object.entries(files)) await writeFile(path(name), text)
  return { follower: await follow(context, folder, options), path, folder }
}

const served = (follower: Follower, name: string, port: number | undefined): Promise<void> =>
  eventually(`${name} has port ${port}`, () => follower.port(name) === port)

/** Everything that was written before this returns has been read. */
async function caughtUp(follower: Follower, folder: string): Promise<void> {
  const name = `marker-${follower.updates.length}`
  await writeFile(join(folder, `${name}.yaml`), service(name))
  await served(follower, name, 80)
}

/** A pause in which the next step of a slow writer happens, if there is one. */
function between(steps: (() => Promise<void>)[]): FollowOptions['pause'] & {} {
  return async () => {
    await steps.shift()?.()
  }
}

const changesOf = (follower: Follower, name: string): readonly boolean[] =>
  follower.changes().flatMap(({ id, object }) => (id === `Service default/${name}` ? [object !== undefined] : []))

describe('the first update', () => {
  it('holds all objects of all files, and is complete', async context => {
    const { follower } = await following(context, {
      'a.yaml': `${service('a')}\n---\n${service('b')}`,
      'b.yml': service('c'),
      'c.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [serviceObject('d')] }),
      'd.txt': service('e'),
      '.e.yaml': service('f'),
    })
    assert.equal(follower.updates.length, 1)
    assert.deepEqual(
      [...follower.objects.keys()],
      ['a', 'b', 'c', 'd'].map(name => `Service default/${name}`),
    )
    assert.equal(follower.updates[0]?.complete, true)
    assert.equal(follower.updates[0]?.unreadable, false)
    assert.deepEqual(follower.problems, [])
  })

  it('comes for an empty folder too', async context => {
    const { follower } = await following(context, {})
    assert.deepEqual(follower.updates, [{ changes: [], complete: true, unreadable: false }])
  })

  it('says that something could not be read, and a later one that it can', async context => {
    const { follower, path } = await following(context, { 'a.yaml': 'kind: [', 'b.yaml': service('b') })
    assert.equal(follower.updates[0]?.unreadable, true)
    assert.equal(follower.port('b'), 80)
    await writeFile(path('a.yaml'), service('a'))
    await served(follower, 'a', 80)
    assert.equal(follower.updates.at(-1)?.unreadable, false)
  })

  it('does not read sub-folders, not even one that is named like a file', async context => {
    const folder = await temporaryFolder(context)
    await mkdir(join(folder, 'sub.yaml'))
    await writeFile(join(folder, 'sub.yaml', 'a.yaml'), service('a'))
    const follower = await follow(context, folder)
    assert.equal(follower.objects.size, 0)
    assert.deepEqual(follower.problems, [])
  })

  const impossible: readonly { title: string; make: (folder: string) => Promise<string>; message: RegExp }[] = [
    {
      title: 'is an error that names the folder where there is none',
      make: async folder => join(folder, 'none'),
      message: /\/none: there is no such folder\. Create the folder, or correct --manifests\.$/,
    },
    {
      title: 'is an error where the folder is a file',
      make: async folder => {
        await writeFile(join(folder, 'file'), '')
        return join(folder, 'file')
      },
      message: /\/file: it is no folder\./,
    },
  ]
  for (const { title, make, message } of impossible) {
    it(title, async context => {
      const folder = await make(await temporaryFolder(context))
      const updates = manifestFolder({ folder, report: () => {} }).updates(AbortSignal.timeout(20_000))
      await assert.rejects(async () => {
        for await (const _update of updates) assert.fail('no update is possible')
      }, message)
    })
  }

  it('comes from one following only', async context => {
    const folder = await temporaryFolder(context)
    const source = manifestFolder({ folder, report: () => {} })
    source.updates(AbortSignal.abort())
    assert.throws(() => source.updates(AbortSignal.abort()), /followed already/)
    assert.equal(source.description, `manifests in ${folder}`)
  })
})

describe('a change takes effect', () => {
  it('when a file is edited in place', async context => {
    const { follower, path } = await following(context, { 'a.yaml': service('a') })
    await writeFile(path('a.yaml'), service('a', 81))
    await served(follower, 'a', 81)
    await appendFile(path('a.yaml'), `\n---\n${service('b')}`)
    await served(follower, 'b', 80)
  })

  it('when the edit changes neither length nor time', async context => {
    const { follower, path } = await following(context, { 'a.yaml': service('a') })
    const time = new Date(Date.now() - 60_000)
    await utimes(path('a.yaml'), time, time)
    await caughtUp(follower, path(''))
    await writeFile(path('a.yaml'), service('a', 81))
    await utimes(path('a.yaml'), time, time)
    await served(follower, 'a', 81)
  })

  it('when a new file is moved over the old one', async context => {
    const { follower, path } = await following(context, { 'a.yaml': service('a') })
    await writeFile(path('a.yaml.tmp'), service('a', 81))
    await rename(path('a.yaml.tmp'), path('a.yaml'))
    await served(follower, 'a', 81)
    assert.deepEqual(changesOf(follower, 'a'), [true, true])
  })

  it('when an editor moves the old file away and writes a new one', async context => {
    const steps: (() => Promise<void>)[] = []
    const { follower, path } = await following(context, { 'a.yaml': service('a') }, { pause: between(steps) })
    steps.push(async () => {
      await writeFile(path('a.yaml'), service('a', 81))
      await unlink(path('a.yaml~'))
    })
    await rename(path('a.yaml'), path('a.yaml~'))
    await served(follower, 'a', 81)
    assert.deepEqual(changesOf(follower, 'a'), [true, true])
  })

  it('when a file appears and when it is deleted', async context => {
    const { follower, path } = await following(context, {})
    await writeFile(path('a.yaml'), service('a'))
    await served(follower, 'a', 80)
    await unlink(path('a.yaml'))
    await served(follower, 'a', undefined)
  })

  it('when a file becomes empty for good', async context => {
    const { follower, path } = await following(context, { 'a.yaml': service('a') })
    await truncate(path('a.yaml'))
    await served(follower, 'a', undefined)
    assert.deepEqual(follower.problems, [])
  })

  it('when the links of a ConfigMap volume are swapped', async context => {
    const folder = await temporaryFolder(context)
    const at = (...parts: readonly string[]): string => join(folder, ...parts)
    for (const [version, port] of [
      ['..1', 80],
      ['..2', 81],
    ] as const) {
      await mkdir(at(version))
      await writeFile(at(version, 'a.yaml'), service('a', port))
    }
    await symlink('..1', at('..data'))
    await symlink('..data/a.yaml', at('a.yaml'))
    const follower = await follow(context, folder)
    assert.equal(follower.port('a'), 80)
    await symlink('..2', at('..data_tmp'))
    await rename(at('..data_tmp'), at('..data'))
    await served(follower, 'a', 81)
    assert.deepEqual(follower.problems, [])
  })

  it('when nobody gives notice of it', async context => {
    const openWatch: OpenWatch = () => ({ close: () => {} })
    const { follower, path } = await following(context, { 'a.yaml': service('a') }, { openWatch, timing: { rescanMs: 50 } })
    await writeFile(path('a.yaml'), service('a', 81))
    await served(follower, 'a', 81)
    await unlink(path('a.yaml'))
    await served(follower, 'a', undefined)
  })

  it('when the kernel refuses to watch, which is said once', async context => {
    const openWatch: OpenWatch = () => {
      throw new Error('ENOSPC: no space left for watches')
    }
    const { follower, path } = await following(context, { 'a.yaml': service('a') }, { openWatch, timing: { blindRescanMs: 50 } })
    await writeFile(path('a.yaml'), service('a', 81))
    await served(follower, 'a', 81)
    assert.equal(follower.said('warning', /no notice of changes here \(ENOSPC/), 1)
    assert.equal(follower.problems.length, 1)
  })

  it('when the watch ends in an error, by a new watch', async context => {
    let opened = 0
    const ends: (() => void)[] = []
    const openWatch: OpenWatch = (_folder, _onChange, onEnd) => {
      opened += 1
      ends.push(onEnd)
      return { close: () => {} }
    }
    const { follower, path } = await following(context, { 'a.yaml': service('a') }, { openWatch })
    await writeFile(path('a.yaml'), service('a', 81))
    ends[0]?.()
    await served(follower, 'a', 81)
    await eventually('a new watch', () => opened === 2)
  })

  it('even while other files change without end', async context => {
    const { follower, path } = await following(context, { 'a.yaml': service('a') }, { timing: { quietMs: 200 } })
    const noise = new AbortController()
    context.after(() => noise.abort())
    const making = (async () => {
      while (!noise.signal.aborted) {
        await writeFile(path('noise.txt'), 'x')
        await delay(5)
      }
    })()
    await writeFile(path('a.yaml'), service('a', 81))
    await served(follower, 'a', 81)
    noise.abort()
    await making
  })

  it('even while another file never comes to rest', async context => {
    let writes = 0
    const folder = await temporaryFolder(context)
    const path = (name: string): string => join(folder, name)
    const pause = async (): Promise<void> => {
      writes += 1
      await writeFile(path('restless.yaml'), `kind: [ ${writes}`)
    }
    const follower = await follow(context, folder, { pause })
    await writeFile(path('restless.yaml'), 'kind: [')
    await writeFile(path('a.yaml'), service('a', 81))
    await served(follower, 'a', 81)
    assert.ok(writes > 0)
  })
})

describe('nothing happens', () => {
  it('when a file is touched, or moved to another name', async context => {
    const { follower, path, folder } = await following(context, { 'a.yaml': service('a') })
    await utimes(path('a.yaml'), new Date(), new Date())
    await caughtUp(follower, folder)
    await rename(path('a.yaml'), path('z.yaml'))
    await caughtUp(follower, folder)
    assert.deepEqual(changesOf(follower, 'a'), [true])
    assert.deepEqual(follower.problems, [])
  })

  it('when a file is written with other words for the same objects', async context => {
    const { follower, path, folder } = await following(context, { 'a.yaml': service('a') })
    await writeFile(
      path('a.yaml'),
      `# a comment\n${JSON.stringify({ ...serviceObject('a'), status: { loadBalancer: {} } }, undefined, 2)}`,
    )
    await caughtUp(follower, folder)
    assert.deepEqual(changesOf(follower, 'a'), [true])
  })

  it('while a file is empty or half written for a moment', async context => {
    const steps: (() => Promise<void>)[] = []
    const { follower, path } = await following(
      context,
      { 'a.yaml': `${service('a')}\n---\n${service('b')}` },
      { pause: between(steps) },
    )
    steps.push(
      () => writeFile(path('a.yaml'), service('a', 81).slice(0, 30)),
      () => writeFile(path('a.yaml'), service('a', 81)),
      () => appendFile(path('a.yaml'), `\n---\n${service('b')}`),
    )
    await truncate(path('a.yaml'))
    await served(follower, 'a', 81)
    assert.deepEqual(steps, [])
    assert.deepEqual(changesOf(follower, 'a'), [true, true])
    assert.deepEqual(changesOf(follower, 'b'), [true])
    assert.deepEqual(follower.problems, [])
  })

  it('after the signal has aborted', async context => {
    const { follower, path } = await following(context, { 'a.yaml': service('a') })
    await follower.stop()
    const before = follower.updates.length
    await writeFile(path('a.yaml'), service('a', 81))
    assert.equal(follower.updates.length, before)
  })
})

describe('what cannot be read stays as it was', () => {
  it('when a file stops parsing, and is said once, until it parses again', async context => {
    const { follower, path, folder } = await following(context, { 'a.yaml': service('a'), 'b.yaml': service('b') })
    await writeFile(path('a.yaml'), `${service('a', 81)}\n---\nkind: [`)
    await eventually('the error', () => follower.problems.length > 0)
    await caughtUp(follower, folder)
    assert.equal(follower.port('a'), 80)
    assert.deepEqual(
      follower.problems.map(({ severity, where }) => [severity, where]),
      [['error', path('a.yaml')]],
    )
    assert.match(follower.problems[0]?.problem ?? '', /^is no valid YAML at line 3, column \d+: /)
    assert.match(follower.problems[0]?.advice ?? '', /last good objects stay/)
    assert.ok(follower.updates.every(({ unreadable }) => !unreadable))
    await writeFile(path('a.yaml'), service('a', 82))
    await served(follower, 'a', 82)
    assert.equal(follower.said('info', /a\.yaml: solved: is no valid YAML/), 1)
  })

  it('when an object stops decoding, and its neighbours follow their edits', async context => {
    const { follower, path } = await following(context, { 'a.yaml': `${service('a')}\n---\n${service('b')}` })
    await writeFile(path('a.yaml'), `${service('a', 99_999)}\n---\n${service('b', 81)}`)
    await served(follower, 'b', 81)
    assert.equal(follower.port('a'), 80)
    assert.equal(
      follower.said('error', /a\.yaml: Service default\/a: spec\.ports\[0\]\.port is 99999; expected a whole number/),
      1,
    )
  })

  it('when a file cannot be opened, as its link leads nowhere or to itself', async context => {
    const { follower, path, folder } = await following(context, { 'a.yaml': service('a') })
    // In one stroke: for the moment in between there would be no file, which is another thing.
    const linkTo = async (target: string): Promise<void> => {
      await symlink(target, path('link'))
      await rename(path('link'), path('a.yaml'))
    }
    await linkTo('nowhere.yaml')
    await eventually('the error', () => follower.said('error', /a\.yaml: is a symbolic link to a file that does not exist/) === 1)
    await caughtUp(follower, folder)
    assert.equal(follower.port('a'), 80)
    await linkTo('a.yaml')
    await eventually('the other error', () => follower.said('error', /a\.yaml: cannot be read \(ELOOP\)/) === 1)
    assert.equal(follower.port('a'), 80)
    await rm(path('a.yaml'))
    await writeFile(path('a.yaml'), service('a', 81))
    await served(follower, 'a', 81)
  })

  it('when the folder goes, until another one is in its place', async context => {
    const folder = join(await temporaryFolder(context), 'manifests')
    await mkdir(folder)
    await writeFile(join(folder, 'a.yaml'), service('a'))
    const follower = await follow(context, folder, { timing: { blindRescanMs: 50 } })
    await rm(folder, { recursive: true })
    await eventually('the error', () => follower.said('error', /manifests: the folder is gone/) === 1)
    assert.equal(follower.port('a'), 80)
    const built = `${folder}.new`
    await mkdir(built)
    await writeFile(join(built, 'a.yaml'), service('a', 81))
    await rename(built, folder)
    await served(follower, 'a', 81)
    await eventually('that it is solved', () => follower.said('info', /manifests: solved: the folder is gone/) === 1)
    await writeFile(join(folder, 'a.yaml'), service('a', 82))
    await served(follower, 'a', 82)
    assert.deepEqual(changesOf(follower, 'a'), [true, true, true])
  })
})

describe('one object in two files', () => {
  it('is the one of the first file by name, with one error that names both', async context => {
    const { follower, path, folder } = await following(context, { 'b.yaml': service('a', 82) })
    await writeFile(path('a.yaml'), service('a', 81))
    await served(follower, 'a', 81)
    await caughtUp(follower, folder)
    assert.equal(follower.said('error', /Service default\/a: is in a\.yaml and in b\.yaml/), 1)
    await unlink(path('a.yaml'))
    await served(follower, 'a', 82)
    assert.equal(follower.said('info', /Service default\/a: solved: /), 1)
  })
})
