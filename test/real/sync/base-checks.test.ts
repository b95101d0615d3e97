// Where a full read of the rules costs too much to be done every time, the base chains are read: they are few, and everything
// hangs on them. Real rules in a namespace; the cost of a read is what the clock says.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createExec, type Exec } from '../../../src/kernel/exec.ts'
import { type Backend, toolsOf } from '../../../src/kernel/iptables.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import type { Drift } from '../../../src/modes/mode.ts'
import { createSyncEmitter } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import { SyncLoop } from '../../../src/sync/loop.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { chainFor } from '../../support/daemon/rules.ts'
import { poll } from '../../support/lab/poll.ts'
import { loadScenario } from '../../support/scenario.ts'

const service = 'golden/web:http cluster IP'

describe('a check of the base chains', { concurrency: true }, () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`finds what is wrong there, and then reads everything (${backend})`, () => findsBaseDrift(backend))
  }
  it('is what is done while a full read costs too much, and a full read when it is time again', () => takesTurns())
})

async function findsBaseDrift(backend: Backend): Promise<void> {
  await using node = await createNode('base')
  const { sync, commands, pass } = familyOn(node, backend)
  await pass()
  const edits: Readonly<Record<string, string>> = {
    'nat chain PREROUTING: rule': '-t nat -D PREROUTING 1',
    'nat chain KUBE-SERVICES: all its rules': '-t nat -F KUBE-SERVICES',
    'nat chain KUBE-POSTROUTING': '-t nat -D KUBE-POSTROUTING 2',
    'filter chain INPUT: rule': '-D INPUT 1',
    'filter chain KUBE-FORWARD: all its rules': '-F KUBE-FORWARD',
  }
  commands.length = 0
  assert.deepEqual(await sync.checkDrift('base'), [])
  // The legacy backend can only read whole tables.
  assert.equal(commands.includes(toolsOf('IPv4', backend).save), backend === 'legacy', `a quiet check ran ${commands.join(', ')}`)
  for (const [what, edit] of Object.entries(edits)) {
    await node.edit({ backend }, [edit])
    const drifts = await sync.checkDrift('base')
    assert.ok(
      drifts.some(drift => drift.what.startsWith(what)),
      `${edit}: ${JSON.stringify(drifts)}`,
    )
    await pass()
  }
  await node.edit({ backend }, ['-t nat -F', '-t nat -X', '-F', '-X'])
  assert.ok((await sync.checkDrift('base')).length > 5, 'base chains that are gone')
  await pass()
  assert.deepEqual(await sync.checkDrift('everything'), [])
}

async function takesTurns(): Promise<void> {
  await using node = await createNode('base')
  let passedMs = 0
  // A check of the base chains takes longer than the period, too: passes must still get their turn.
  const slowRead = (tool: string): void => {
    if (tool.endsWith('-save')) passedMs += 10_000
    else if (tool === 'iptables-nft') passedMs += 10
  }
  const { sync, events, input, save } = familyOn(node, 'nft', slowRead)
  const now = (): number => performance.now() + passedMs
  const settings = () => ({ minSyncPeriodMs: 0, minSyncPeriodMeaning: 'at most', syncPeriodMs: 50 }) as const
  const loop = new SyncLoop({ sync, events, input, settings, now })
  const checks: string[] = []
  const found: Drift[] = []
  events.on('checked', ({ extent }) => checks.push(extent))
  events.on('driftFound', ({ drifts }) => found.push(...drifts))
  const stop = new AbortController()
  const running = loop.run(stop.signal)
  try {
    loop.markDirty('everything')
    await poll(() => (checks.length > 3 ? true : undefined), { what: 'checks' })
    assert.deepEqual(checks.slice(0, 4), ['everything', 'base', 'base', 'base'])

    // A chain of a Service is not read, for now.
    const chain = chainFor(await save(), service)
    await node.edit({ backend: 'nft' }, [`-t nat -F ${chain}`])
    await poll(() => (checks.length > 6 ? true : undefined), { what: 'more checks' })
    assert.equal(found.length, 0)
    // Ten seconds are half a percent of two thousand.
    passedMs += 2_100_000
    await poll(() => found.find(({ what }) => what.includes(chain)), { what: 'the flushed chain to be found' })

    const before = checks.length
    found.length = 0
    await node.edit({ backend: 'nft' }, ['-t nat -D PREROUTING 1'])
    await poll(() => found.find(({ what }) => what.startsWith('nat chain PREROUTING')), { what: 'the jump to be missed' })
    assert.ok(
      checks.slice(before).every(extent => extent === 'base'),
      checks.join(),
    )
    await poll(async () => (/^-A PREROUTING .*-j KUBE-SERVICES$/m.test(await save()) ? true : undefined), { what: 'the jump' })
  } finally {
    stop.abort()
    await running
  }
}

/** A family's sync over a recorded cluster; `onCommand` is told every tool before it runs. */
function familyOn(node: TestNode, backend: Backend, onCommand: (tool: string) => void = () => {}) {
  const { cluster, node: facts, settings } = loadScenario('clusterip')
  const inNamespace = createExec({ prefix: ['ip', 'netns', 'exec', node.namespace] })
  const commands: string[] = []
  const exec: Exec = command => {
    const [tool = ''] = command.argv
    commands.push(tool)
    onCommand(tool)
    return inNamespace(command)
  }
  const events = createSyncEmitter()
  const mode = iptablesMode('IPv4', toolsOf('IPv4', backend))
  const sync = new FamilySync({ mode, exec, cluster, events, now: () => performance.now() })
  const input = () => ({ node: facts, settings, sweep: true })
  return { sync, events, commands, input, pass: () => sync.pass(input()), save: () => node.save({ backend }) }
}
