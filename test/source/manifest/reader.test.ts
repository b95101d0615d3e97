// The reader gives the same value for the same bytes: that is how the others know that nothing changed.
import assert from 'node:assert/strict'
import { rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createFolderReader, type ManifestFiles } from '../../../src/source/manifest/reader.ts'
import { service, temporaryFolder } from './follower.ts'

async function reading(context: TestContext): Promise<{ path: string; folder: string; read: () => Promise<ManifestFiles> }> {
  const folder = await temporaryFolder(context)
  const path = join(folder, 'a.yaml')
  await writeFile(path, service('a'))
  const reader = createFolderReader(folder)
  const read = async (): Promise<ManifestFiles> => {
    const result = await reader.read()
    assert.ok(result.found)
    return result.files
  }
  return { path, folder, read }
}

const longAgo = new Date(Date.now() - 3_600_000)

describe('a file read again', () => {
  const rows: readonly { title: string; same: boolean; change: (path: string) => Promise<void> }[] = [
    { title: 'is the same where nothing happened', same: true, change: async () => {} },
    { title: 'is the same where only its time changed', same: true, change: path => utimes(path, longAgo, longAgo) },
    { title: 'is the same where its bytes were written again', same: true, change: path => writeFile(path, service('a')) },
    {
      title: 'is the same where an equal file took its place',
      same: true,
      change: async path => {
        await writeFile(`${path}.tmp`, service('a'))
        await rename(`${path}.tmp`, path)
      },
    },
    { title: 'is another where its bytes changed', same: false, change: path => writeFile(path, service('a', 81)) },
    {
      title: 'is another where its bytes changed and its time did not',
      same: false,
      change: async path => {
        await writeFile(path, service('a', 81))
        await utimes(path, longAgo, longAgo)
      },
    },
  ]
  for (const { title, same, change } of rows) {
    it(title, async context => {
      const { path, read } = await reading(context)
      await utimes(path, longAgo, longAgo)
      const before = (await read()).get('a.yaml')
      assert.ok(before !== undefined)
      await change(path)
      assert.equal((await read()).get('a.yaml') === before, same)
    })
  }
})

describe('a folder', () => {
  it('is read in the order of its names', async context => {
    const { folder, read } = await reading(context)
    for (const name of ['c.yml', 'B.yaml', 'b.json', 'x.txt', '.d.yaml']) await writeFile(join(folder, name), service('x'))
    assert.deepEqual([...(await read()).keys()], ['B.yaml', 'a.yaml', 'b.json', 'c.yml'])
  })

  it('of many files is read whole', async context => {
    const { folder, read } = await reading(context)
    for (let index = 0; index < 100; index += 1) await writeFile(join(folder, `s${index}.yaml`), service(`s${index}`))
    assert.equal((await read()).size, 101)
  })

  it('that is not there says so', async context => {
    const { folder } = await reading(context)
    await rm(folder, { recursive: true })
    const result = await createFolderReader(folder).read()
    assert.equal(result.found ? undefined : result.code, 'ENOENT')
  })
})
