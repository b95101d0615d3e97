// What kernel parameters were before: kept through many changes, put back only where the value is still ours.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openStateFile } from '../../src/kernel/state-file.ts'
import type { Sysctl } from '../../src/kernel/sysctl.ts'
import { perform } from '../../src/sync/node-duties.ts'
import { type Originals, originalsIn, restoreOriginals } from '../../src/sync/originals.ts'

const name = 'net.ipv4.conf.all.arp_ignore'
const other = 'net.ipv4.vs.conntrack'
const forward = 'net.ipv4.ip_forward'

interface Node extends AsyncDisposable {
  readonly values: Map<string, string>
  readonly sysctl: Sysctl
  readonly originals: Originals
  /** As a process that starts now would see them. */
  reopened(): Promise<Originals>
}

async function node(values: Readonly<Record<string, string>>, refusing: readonly string[] = []): Promise<Node> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-originals-'))
  const held = new Map(Object.entries(values))
  const open = async (): Promise<Originals> =>
    originalsIn(await openStateFile({ path: join(folder, 'state.json'), warn: message => assert.fail(message) }))
  return {
    values: held,
    sysctl: {
      read: async key => held.get(key),
      write: async (key, value) => {
        if (refusing.includes(key)) throw new Error(`cannot set ${key} to ${value}: EROFS`)
        held.set(key, value)
      },
    },
    originals: await open(),
    reopened: open,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

describe('originals', () => {
  it('are on disk before the value changes, and stay the first ones', async () => {
    await using host = await node({ [name]: '0' })
    await host.originals.record(name, { from: '0', to: '1' })
    assert.deepEqual((await host.reopened()).of(name), { before: '0', set: '1' })
    await host.originals.record(name, { from: '1', to: '2' })
    assert.deepEqual(host.originals.of(name), { before: '0', set: '2' })
  })

  it('begin anew once they were forgotten', async () => {
    await using host = await node({ [name]: '0' })
    await host.originals.record(name, { from: '0', to: '1' })
    await host.originals.forget(name)
    assert.deepEqual([host.originals.of(name), host.originals.names()], [undefined, []])
    await host.originals.record(name, { from: '3', to: '1' })
    assert.deepEqual((await host.reopened()).of(name), { before: '3', set: '1' })
  })

  it('know nothing of what no object has of its own', async () => {
    await using host = await node({})
    assert.equal(host.originals.of('constructor'), undefined)
  })

  it('are kept by the duties for what they set exactly, and not for limits that they raise nor for files', async () => {
    const planned = { why: '', otherwise: '', value: 1 }
    await using host = await node({ [name]: '0', [other]: '1', limit: '0', file: '0' })
    await perform({
      planned: [
        { ...planned, kind: 'sysctl', name, rule: 'exactly' },
        { ...planned, kind: 'sysctl', name: other, rule: 'exactly' },
        { ...planned, kind: 'sysctl', name: 'limit', rule: 'at least' },
        { ...planned, kind: 'file', name: 'file', rule: 'exactly' },
      ],
      sysctl: host.sysctl,
      files: host.sysctl,
      originals: host.originals,
    })
    assert.deepEqual((await host.reopened()).names(), [name], 'and not for what was right already')
    assert.equal(host.values.get('limit'), '1')
  })
})

describe('restoreOriginals', () => {
  const rows: readonly {
    readonly title: string
    readonly key?: string
    readonly now: string | undefined
    readonly outcome: string | undefined
    readonly after: string | undefined
    readonly message?: RegExp
  }[] = [
    {
      title: 'puts back what is still ours',
      now: '1',
      outcome: 'restored',
      after: '0',
      message: /arp_ignore: 1 -> 0, as it was/,
    },
    {
      title: "leaves somebody else's choice",
      now: '2',
      outcome: 'left',
      after: '2',
      message: /stays 2, which somebody else set \(.*: 0\)/,
    },
    { title: 'says nothing of what is back already', now: '0', outcome: undefined, after: '0' },
    { title: 'says nothing of what went with its module', now: undefined, outcome: undefined, after: undefined },
    { title: 'leaves forwarding on', key: forward, now: '1', outcome: 'left', after: '1', message: /ip_forward=0 puts it back/ },
  ]
  for (const { title, key = name, now, outcome, after, message } of rows) {
    it(`${title}, and forgets it`, async () => {
      await using host = await node(now === undefined ? {} : { [key]: now })
      await host.originals.record(key, { from: '0', to: '1' })
      const [restoration] = await restoreOriginals({ names: [other, key], sysctl: host.sysctl, originals: host.originals })
      assert.equal(restoration?.outcome, outcome)
      if (message !== undefined) assert.match(restoration?.message ?? '', message)
      assert.equal(host.values.get(key), after)
      assert.deepEqual((await host.reopened()).names(), [])
    })
  }

  it('keeps the record of what the kernel refuses, and goes on', async () => {
    await using host = await node({ [name]: '1', [other]: '1' }, [name])
    for (const key of [name, other]) await host.originals.record(key, { from: '0', to: '1' })
    const restorations = await restoreOriginals({ names: [name, other], sysctl: host.sysctl, originals: host.originals })
    assert.deepEqual(
      restorations.map(({ outcome }) => outcome),
      ['failed', 'restored'],
    )
    assert.match(restorations[0]?.message ?? '', /arp_ignore to 0: EROFS/)
    assert.deepEqual((await host.reopened()).names(), [name])
  })

  it('changes and forgets nothing in a dry run', async () => {
    await using host = await node({ [name]: '1' })
    await host.originals.record(name, { from: '0', to: '1' })
    const options = { names: [name], sysctl: host.sysctl, originals: host.originals, dryRun: true }
    assert.equal((await restoreOriginals(options))[0]?.outcome, 'restored')
    assert.deepEqual([host.values.get(name), (await host.reopened()).names()], ['1', [name]])
  })
})
