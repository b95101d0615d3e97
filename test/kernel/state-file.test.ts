// The state file: what is read back, what a broken file becomes, and that the last of many changes is what stands on disk.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type DrainRecord, decodeState, emptyState, openStateFile, type StateFile } from '../../src/kernel/state-file.ts'

const drain: DrainRecord = {
  family: 'IPv4',
  virtualServer: '-t 10.96.0.1:80',
  realServer: '10.244.1.11:8080',
  since: 1_700_000_000_000,
}
const gone: DrainRecord = {
  ...drain,
  family: 'IPv6',
  virtualServer: '-u [fd00::1]:53',
  gone: 1_700_000_001_000,
  until: 1_700_000_002_000,
}
const sysctls = { 'net.ipv4.vs.conntrack': { before: '0', set: '1' } }

interface Folder extends AsyncDisposable {
  readonly path: string
  readonly warnings: string[]
  open(): Promise<StateFile>
  text(): Promise<string>
}

/** `path` is in a folder that does not exist yet. */
async function folder(): Promise<Folder> {
  const root = await mkdtemp(join(tmpdir(), 'switchyard-state-'))
  const path = join(root, 'run', 'state.json')
  const warnings: string[] = []
  return {
    path,
    warnings,
    open: () => openStateFile({ path, warn: message => warnings.push(message) }),
    text: () => readFile(path, 'utf8'),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

describe('the state file', () => {
  it('is empty where there is none, and makes none by being read', async () => {
    await using place = await folder()
    const file = await place.open()
    assert.deepEqual(file.state, emptyState)
    await file.close()
    await assert.rejects(place.text(), /ENOENT/)
    assert.deepEqual(place.warnings, [])
  })

  it('gives after a restart what was put into it, is readable by its owner alone, and leaves nothing beside it', async () => {
    await using place = await folder()
    const file = await place.open()
    await file.update({ sysctls })
    await file.update({ drains: [drain, gone] })
    assert.deepEqual(file.state, { sysctls, drains: [drain, gone] })
    assert.deepEqual((await place.open()).state, { sysctls, drains: [drain, gone] })
    assert.equal(JSON.parse(await place.text()).version, 1)
    assert.equal((await stat(place.path)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(join(place.path, '..')), ['state.json'])
    assert.deepEqual(place.warnings, [])
  })

  it('writes many changes in few writes, and the last of them at last', async () => {
    await using place = await folder()
    const file = await place.open()
    const seen = new Set<string>()
    const updates = Array.from({ length: 100 }, (_, since) =>
      file.update({ drains: [{ ...drain, since }] }).then(async () => seen.add(await place.text())),
    )
    await Promise.all(updates)
    await file.close()
    assert.deepEqual((await place.open()).state.drains, [{ ...drain, since: 99 }])
    assert.ok(seen.size <= 2, `${seen.size} states were seen on disk`)
  })

  it('has on disk what an update put there when that resolves, whatever is written meanwhile', async () => {
    await using place = await folder()
    const file = await place.open()
    const rounds = Array.from({ length: 20 }, async (_, round) => {
      await new Promise(resolve => setTimeout(resolve, round % 3))
      const name = `net.test.${round}`
      await file.update({ sysctls: { ...file.state.sysctls, [name]: { before: '0', set: '1' } } })
      assert.ok(JSON.parse(await place.text()).sysctls[name] !== undefined, name)
    })
    await Promise.all(rounds)
  })

  it('is gone when it is discarded, also where it never was', async () => {
    await using place = await folder()
    const file = await place.open()
    await file.discard()
    await file.update({ sysctls })
    await file.discard()
    assert.deepEqual(await readdir(join(place.path, '..')), [])
    assert.deepEqual([file.state, place.warnings], [emptyState, []])
  })

  it('says once that it cannot be written, and goes on', async () => {
    await using place = await folder()
    await writeFile(join(place.path, '..'), 'a file where the folder should be')
    const file = await place.open()
    await file.update({ sysctls })
    await file.update({ drains: [drain] })
    await file.close()
    assert.deepEqual(file.state, { sysctls, drains: [drain] })
    const [warning = '', ...more] = place.warnings.filter(text => text.includes('cannot be written'))
    assert.match(warning, /run\/state\.json cannot be written: E[A-Z]+.*; after a restart drains start anew.*--state-dir$/)
    assert.deepEqual(more, [])
  })

  it('keeps a broken file aside, names it, and starts empty', async () => {
    await using place = await folder()
    const file = await place.open()
    await file.update({ sysctls })
    await writeFile(place.path, '{"version": 1, "sysctls": {')
    const again = await place.open()
    assert.deepEqual(again.state, emptyState)
    assert.equal(await readFile(`${place.path}.broken`, 'utf8'), '{"version": 1, "sysctls": {')
    assert.equal(place.warnings.length, 1)
    assert.match(place.warnings[0] ?? '', /state\.json counts as empty: it is no JSON \(.*\); kept as .*\/state\.json\.broken\./)
    await again.update({ drains: [drain] })
    assert.deepEqual((await place.open()).state, { sysctls: {}, drains: [drain] })
  })

  it('says what stands in the way of reading it', async () => {
    await using place = await folder()
    const file = await place.open()
    await file.update({ sysctls })
    await rm(place.path)
    await mkdir(place.path)
    assert.deepEqual((await place.open()).state, emptyState)
    assert.match(place.warnings[0] ?? '', /state\.json cannot be read and counts as empty: EISDIR/)
  })
})

describe('decodeState', () => {
  const whole = { version: 1, sysctls, drains: [drain, gone] }
  const wrong: readonly [string, unknown, RegExp][] = [
    ['a list', [], /no JSON object/],
    ['null', null, /no JSON object/],
    ['no version', { sysctls, drains: [] }, /its version is undefined, expected 1/],
    ['a later version', { ...whole, version: 2 }, /its version is 2, expected 1/],
    ['a bare value as a record', { ...whole, sysctls: { 'net.x': '0' } }, /sysctls is no map/],
    ['a number as a value', { ...whole, sysctls: { 'net.x': { before: 0, set: '1' } } }, /sysctls is no map/],
    ['no drains', { version: 1, sysctls }, /drains is no list/],
    ['an unknown family', { ...whole, drains: [{ ...drain, family: 'IPv5' }] }, /drains is no list/],
    ['a date in words', { ...whole, drains: [{ ...drain, since: 'today' }] }, /drains is no list/],
    ['an end in words', { ...whole, drains: [{ ...drain, until: 'soon' }] }, /drains is no list/],
    ['a drain without a server', { ...whole, drains: [{ ...drain, realServer: undefined }] }, /drains is no list/],
  ]
  for (const [title, value, problem] of wrong) {
    it(`refuses ${title}`, () => {
      const decoded = decodeState(JSON.stringify(value))
      assert.equal(typeof decoded, 'string')
      assert.match(String(decoded), problem)
    })
  }

  it('takes what a later program of the same version adds', () => {
    assert.deepEqual(decodeState(JSON.stringify({ ...whole, more: true })), { sysctls, drains: [drain, gone] })
  })
})
