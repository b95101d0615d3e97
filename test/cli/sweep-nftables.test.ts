// When the table that a kube-proxy in nftables mode left is deleted, and how often that is tried.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Logger } from '../../src/cli/log.ts'
import { sweepNftables } from '../../src/cli/sweep-nftables.ts'
import { CommandError } from '../../src/kernel/exec.ts'
import type { SyncEvents, SyncReport } from '../../src/sync/events.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

function setUp({ fails = false }: { readonly fails?: boolean } = {}) {
  const events = createSyncEmitter()
  const [commands, said]: [string[], string[]] = [[], []]
  const clock = { now: 0 }
  const say = (...words: readonly unknown[]): void => void said.push(String(words.at(-1)))
  sweepNftables({
    events,
    exec: async ({ argv, input }) => {
      commands.push([...argv, input?.trim() ?? ''].join(' ').trim())
      if (fails) throw new CommandError({ argv, failure: 'failed', stderr: '', reason: 'no nf_tables in this kernel' })
      return { stdout: 'table ip kube-proxy {\n}\n', stderr: '', milliseconds: 1 }
    },
    log: { info: say, warn: say } as unknown as Logger,
    now: () => clock.now,
  })
  const told = (unreadable: boolean): void =>
    void events.emit('changed', { complete: true, unreadable } as SyncEvents['changed'][0])
  const begin = (): void => void events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
  const end = async (quarantined = 0): Promise<void> => {
    events.emit('synced', { family: 'IPv4', quarantined } as SyncReport)
    await turn()
    await turn()
  }
  return { commands, said, clock, told, begin, end }
}

describe('the nftables table of a kube-proxy', () => {
  it('goes once, after a pass over all objects', async () => {
    const { commands, told, begin, end } = setUp()
    told(false)
    for (let passes = 0; passes < 3; passes++) {
      begin()
      await end()
    }
    assert.deepEqual(commands, ['nft list flowtables', 'nft -f - delete table ip kube-proxy'])
  })

  it('stays after a pass that began before all could be read: what was read meanwhile is not in it', async () => {
    const { commands, told, begin, end } = setUp()
    told(true)
    begin()
    told(false)
    await end()
    assert.deepEqual(commands, [])
    begin()
    await end()
    assert.equal(commands.length, 2)
  })

  for (const [what, fails, quarantined] of [
    ['nft does not work', true, 0],
    ['Services are quarantined', false, 1],
  ] as const) {
    it(`is not looked for with every pass while ${what}`, async () => {
      const { commands, said, clock, told, begin, end } = setUp({ fails })
      told(false)
      for (let passes = 0; passes < 10; passes++) {
        begin()
        await end(quarantined)
        clock.now += 1000
      }
      assert.deepEqual(commands, ['nft list flowtables'])
      clock.now = 60_000
      begin()
      await end(quarantined)
      assert.deepEqual([commands.length, said.length], [2, 1])
    })
  }
})
