// What drains, between a mode and a loop: what a former process noted counts once, news of a look lasts until the next pass, a mode without draining costs
// nothing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Exec } from '../../src/kernel/exec.ts'
import type { Change, Draining, EarlierDrains } from '../../src/modes/mode.ts'
import { DrainKeeper } from '../../src/sync/drain-keeper.ts'

const change: Change<string, string> = { desired: 'wanted', observed: 'held', touched: 'everything', sweep: true }
const earlier: EarlierDrains = new Map([['-t 10.96.0.7:80 10.244.1.1:8080', { since: 1, goneSince: undefined }]])

function keeper(options: { readonly over?: boolean; readonly exec?: Exec } = {}) {
  const kept: { readonly now: number; readonly earlier: EarlierDrains }[] = []
  const looks: (readonly string[] | undefined)[] = []
  const draining: Draining<string, string> = {
    keep: (_, clock) => {
      kept.push(clock)
      return 'wanted and draining'
    },
    queries: [{ argv: ['ipvsadm', '-Ln'] }],
    look: (_, outputs) => {
      looks.push(outputs)
      return options.over ?? false
    },
    list: () => [],
  }
  const exec: Exec = options.exec ?? (async () => ({ stdout: 'connections', stderr: '', milliseconds: 0 }))
  return { keeper: new DrainKeeper({ draining, exec, wall: () => 7, earlier }), kept, looks }
}

describe('DrainKeeper', () => {
  it('tells the mode once what a former process noted: what begins anew later is another matter', () => {
    const { keeper: one, kept } = keeper()
    assert.equal(one.keep(change), 'wanted and draining')
    one.keep(change)
    assert.deepEqual(kept, [
      { now: 7, earlier },
      { now: 7, earlier: new Map() },
    ])
  })

  it('has news from a look that found something until the next pass', async () => {
    const { keeper: one, looks } = keeper({ over: true })
    assert.equal(one.hasNews, false)
    await one.look('wanted')
    assert.deepEqual(looks, [['connections']])
    assert.equal(one.hasNews, true)
    one.keep(change)
    assert.equal(one.hasNews, false)
  })

  it('lets the mode look at the time even where the kernel does not tell', async () => {
    const failing: Exec = async () => {
      throw new Error('no such program')
    }
    const { keeper: one, looks } = keeper({ over: true, exec: failing })
    await assert.rejects(one.look('wanted'), /no such program/)
    assert.deepEqual(looks, [undefined])
    assert.equal(one.hasNews, true)
  })

  it('does nothing before there is a state, nor in a mode where nothing drains', async () => {
    const { keeper: one, looks } = keeper()
    await one.look(undefined)
    assert.deepEqual(looks, [])
    const none = new DrainKeeper<string, string>({ draining: undefined, exec: async () => assert.fail(), wall: () => 7, earlier })
    assert.equal(none.keep(change), 'wanted')
    await none.look('wanted')
    assert.deepEqual(none.list('wanted'), [])
    assert.equal(none.hasNews, false)
  })
})
