// One family's passes over a fake kernel: after any failure the kernel is read before anything is written, and what is programmed is not lost.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandError } from '../../src/kernel/exec.ts'
import { parseSave, tableSection } from '../../src/kernel/iptables.ts'
import { inspection, plannedInspection } from '../../src/sync/inspect.ts'
import { address, endpoint, gone, keyOf, put, service, slice } from '../support/cluster.ts'
import { createHarness, eventsOf, type Harness, linesOf, passInput } from './support/harness.ts'

const web = service()
const pods = (...texts: readonly string[]) => slice({ endpoints: texts.map(text => endpoint(text)) })
const other = service({ name: 'other', clusterIPs: [address('10.96.0.8')] })
const reads = (harness: Harness): number => harness.kernel.commands.filter(([tool]) => tool?.endsWith('-save')).length

async function settled(harness: Harness): Promise<void> {
  assert.equal((await harness.restarted().pass()).lines, 0, 'a new process finds nothing to do')
}

describe('a pass', () => {
  it('reads the kernel once, at the first, and is partial from then on', async () => {
    const harness = createHarness()
    harness.change(put(web), put(pods('10.244.1.1')))
    const first = await harness.pass()
    assert.equal(first.kind, 'full')
    harness.change(put(pods('10.244.1.2')))
    const second = await harness.pass()
    assert.deepEqual([second.kind, second.touchedServices, second.services], ['partial', 1, 1])
    assert.equal(reads(harness), 1)
    await settled(harness)
  })

  it('says what it did', async () => {
    const harness = createHarness()
    harness.change(
      put(service({ type: 'NodePort', ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] })),
      put(other),
      put(pods('10.244.1.1')),
    )
    const report = await harness.pass()
    assert.deepEqual(
      { ...report, milliseconds: 0 },
      {
        family: 'IPv4',
        kind: 'full',
        services: 2,
        touchedServices: 2,
        lines: linesOf(harness.kernel.restores[0] ?? '').length,
        written: 12,
        removed: 0,
        milliseconds: 0,
        restoreMilliseconds: 0,
        quarantined: 0,
        draining: 0,
        hasNodePorts: true,
      },
    )
    harness.change(put(web))
    assert.equal((await harness.pass()).hasNodePorts, false)
  })

  it('tells those who listen what was compared and what the kernel holds', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')))
    await harness.programmed(put(pods('10.244.1.1', '10.244.1.2')))
    const [first, second] = eventsOf(harness.recorded, 'programmed')
    assert.equal(first?.scope, 'everything')
    assert.deepEqual(second?.scope, new Set([keyOf(web)]))
    const inKernel = (table: 'nat' | 'filter') =>
      parseSave(tableSection(harness.kernel.save(), table)).reduce(
        (sum, { name, rules }) => sum + (name.startsWith('KUBE-') ? rules.length : 0),
        0,
      )
    const total = second?.rules.total() ?? {}
    assert.ok((total['nat'] ?? 0) >= inKernel('nat') && (total['filter'] ?? 0) >= inKernel('filter'))
    assert.deepEqual(
      eventsOf(harness.recorded, 'passStarted').map(({ scope }) => scope),
      ['everything', new Set([keyOf(web)])],
    )
  })

  it('leaves no change behind that comes while it runs: the next pass has it', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(other))
    harness.kernel.before = ([tool]) => {
      if (!tool?.endsWith('-restore')) return
      harness.kernel.before = () => {}
      harness.change(put(slice({ name: 'other-abc', service: 'other', endpoints: [endpoint('10.244.2.2')] })))
    }
    harness.change(put(pods('10.244.1.1')))
    await harness.pass()
    assert.doesNotMatch(harness.kernel.save(), /10\.244\.2\.2/)
    assert.ok(harness.sync.isDirty)
    await harness.pass()
    assert.match(harness.kernel.save(), /10\.244\.2\.2/)
    assert.equal(harness.sync.isDirty, false)
    await settled(harness)
  })

  it('empties no chain of others that they make between the reading and the writing', async () => {
    const harness = createHarness()
    harness.change(put(web), put(pods('10.244.1.1')))
    harness.kernel.before = ([tool]) => {
      if (!tool?.endsWith('-restore')) return
      harness.kernel.before = () => {}
      harness.kernel.edit('filter', ':KUBE-FIREWALL - [0:0]', '-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP')
    }
    await harness.pass()
    const rules = harness.kernel.rules('filter', 'KUBE-FIREWALL') ?? []
    assert.ok(rules.includes('-m mark --mark 0x8000/0x8000 -j DROP'), rules.join())
    assert.ok(
      rules.some(rule => rule.includes('block incoming localnet')),
      rules.join(),
    )
    assert.match(harness.kernel.save(), /10\.244\.1\.1:8080/)
    await settled(harness)
  })

  it('compares everything where settings or facts changed', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')))
    harness.input = passInput({ settings: { masqueradeAll: true, masqueradeMark: 0x8000 } })
    harness.sync.markDirty('everything')
    await harness.pass()
    assert.deepEqual(harness.kernel.rules('nat', 'KUBE-MARK-MASQ'), ['-j MARK --set-xmark 0x8000/0x8000'])
    assert.match(harness.kernel.save(), /-A KUBE-SVC-\S+ -d 10\.96\.0\.7\/32 -p tcp .*-j KUBE-MARK-MASQ/)
  })

  it('works in the other family with its own programs', async () => {
    const harness = createHarness({ family: 'IPv6', backend: 'legacy' })
    const six = service({ clusterIPs: [address('fd00:10:96::7')], ipFamilies: ['IPv6'] })
    await harness.programmed(put(six), put(slice({ family: 'IPv6', endpoints: [endpoint('fd00:10:244:1::1')] })))
    assert.match(harness.kernel.save(), /--to-destination \[fd00:10:244:1::1\]:8080/)
    assert.ok(harness.kernel.commands.every(([tool]) => tool?.startsWith('ip6tables-legacy')))
  })
})

describe('after a failure', () => {
  const failOnce = (harness: Harness, suffix: string): void => {
    harness.kernel.fails = ([tool]) => {
      if (!tool?.endsWith(suffix)) return undefined
      harness.kernel.fails = () => undefined
      return 'busy'
    }
  }

  it('the kernel is read again before anything is written, and all of it is compared', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')))
    failOnce(harness, '-restore')
    harness.change(put(pods('10.244.1.2')))
    await assert.rejects(harness.pass(), { name: 'ApplyError' })
    assert.ok(harness.sync.isDirty)
    // Somebody uses the time.
    harness.kernel.edit('nat', ':KUBE-SERVICES - [0:0]')
    const before = harness.kernel.commands.length
    const report = await harness.pass()
    assert.equal(report.kind, 'full')
    assert.ok(harness.kernel.commands[before]?.[0]?.endsWith('-save'))
    assert.match(harness.kernel.save(), /10\.244\.1\.2/)
    assert.match(harness.kernel.rules('nat', 'KUBE-SERVICES')?.join() ?? '', /default\/web cluster IP/)
    await settled(harness)
  })

  it('of a read nothing is written, nothing is lost, and the next pass has all', async () => {
    const harness = createHarness()
    harness.change(put(web), put(pods('10.244.1.1')))
    failOnce(harness, '-save')
    await assert.rejects(harness.pass(), CommandError)
    assert.deepEqual(harness.kernel.restores, [])
    assert.ok(harness.sync.isDirty)
    await harness.pass()
    assert.match(harness.kernel.save(), /10\.244\.1\.1/)
    await settled(harness)
  })

  it('in the middle of many blocks, those before stay and are not written again', async () => {
    const harness = createHarness()
    const many = Array.from({ length: 300 }, (_, index) => {
      const name = `service-${index}`
      return [
        put(service({ name, clusterIPs: [address(`10.96.${1 + (index >> 8)}.${index & 255}`)] })),
        put(slice({ name: `${name}-abc`, service: name, endpoints: [endpoint(`10.244.${index >> 8}.${index & 255}`)] })),
      ]
    }).flat()
    harness.change(...many)
    // The machine, not the input: nobody is to blame.
    const halfway = 'service-200'
    harness.kernel.refuses = line => (line.includes(halfway) ? 'line' : undefined)
    harness.kernel.before = ([tool]) => {
      // The second try is stopped too, or it would look for culprits.
      if (tool?.endsWith('-restore') && harness.kernel.restores.length > 0) harness.kernel.fails = () => 'busy'
    }
    await assert.rejects(harness.pass())
    const programmedBefore = harness.kernel.chains('nat').filter(chain => chain.startsWith('KUBE-SVC-'))
    assert.ok(programmedBefore.length > 100 && programmedBefore.length < 300, `${programmedBefore.length}`)
    const dispatch = harness.kernel.rules('nat', 'KUBE-SERVICES') ?? []
    assert.ok(
      dispatch.every(rule => rule.endsWith('-j KUBE-NODEPORTS')),
      'nothing leads there yet',
    )
    harness.kernel.refuses = () => undefined
    harness.kernel.before = () => {}
    harness.kernel.fails = () => undefined
    const from = harness.kernel.restores.length
    await harness.pass()
    const again = harness.kernel.restores.slice(from).flatMap(linesOf)
    assert.ok(programmedBefore.every(chain => !again.includes(`:${chain} - [0:0]`)))
    await settled(harness)
  })

  it('a Service that was deleted meanwhile goes with the next pass', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')), put(other))
    failOnce(harness, '-restore')
    harness.change(gone(web), gone(pods()))
    await assert.rejects(harness.pass())
    assert.match(harness.kernel.save(), /default\/web/, 'what is programmed stays')
    await harness.pass()
    assert.doesNotMatch(harness.kernel.save(), /default\/web/)
    await settled(harness)
  })

  it('that is no failed command, the pass fails too, and the next one starts from the kernel', async () => {
    const harness = createHarness()
    await harness.programmed(put(web))
    harness.kernel.before = () => {
      harness.kernel.before = () => {}
      throw new RangeError('a bug')
    }
    harness.change(put(pods('10.244.1.1')))
    await assert.rejects(harness.pass(), RangeError)
    assert.equal((await harness.pass()).kind, 'full')
    await settled(harness)
  })

  it('the missing program is named with what to do, and nobody is quarantined', async () => {
    const harness = createHarness()
    harness.change(put(web))
    harness.kernel.fails = ([tool]) => (tool?.endsWith('-restore') ? 'not found' : undefined)
    await assert.rejects(harness.pass())
    assert.equal(harness.sync.quarantined.size, 0)
    assert.equal(
      harness.kernel.commands.filter(([tool]) => tool?.endsWith('-restore')).length,
      1,
      'it is not tried with others left out',
    )
  })
})

describe('while something cannot be read', () => {
  it('nothing stale is swept, and the first pass that may sweep compares everything', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')), put(other))
    harness.store.apply([gone(web), gone(pods())])
    const after = harness.restarted()
    after.input = passInput({ sweep: false })
    await after.pass()
    after.change(put(slice({ name: 'other-abc', service: 'other', endpoints: [endpoint('10.244.2.2')] })))
    assert.equal((await after.pass()).kind, 'partial')
    assert.match(harness.kernel.save(), /default\/web/)
    after.input = passInput()
    after.change(put(other))
    assert.equal((await after.pass()).kind, 'full', 'although nothing changed but that')
    assert.doesNotMatch(harness.kernel.save(), /default\/web/)
  })

  it('drift of what is known is found all the same, and what is not swept is none', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')), put(other))
    harness.store.apply([gone(web), gone(pods())])
    const after = harness.restarted()
    after.input = passInput({ sweep: false })
    await after.pass()
    assert.deepEqual(await after.sync.checkDrift('everything'), [])
    const [jump = ''] = harness.kernel.rules('nat', 'PREROUTING') ?? []
    harness.kernel.edit('nat', `-D PREROUTING ${jump}`)
    assert.equal((await after.sync.checkDrift('base')).length, 1)
    await after.pass()
    assert.deepEqual(harness.kernel.rules('nat', 'PREROUTING'), [jump])
    assert.match(harness.kernel.save(), /default\/web/)
  })
})

describe('checkDrift', () => {
  it('reads nothing before the first pass, and nothing after a failure', async () => {
    const harness = createHarness()
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    harness.kernel.fails = () => 'busy'
    await assert.rejects(harness.pass())
    harness.kernel.fails = () => undefined
    const before = harness.kernel.commands.length
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    assert.equal(harness.kernel.commands.length, before)
  })

  it('looks at what was programmed although changes wait, so that a storm of changes hides nothing', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')), put(other))
    harness.kernel.edit('nat', ':KUBE-MARK-MASQ - [0:0]')
    harness.change(put(slice({ name: 'other-abc', service: 'other', endpoints: [endpoint('10.244.2.2')] })))
    const drifts = await harness.sync.checkDrift('everything')
    assert.deepEqual(
      drifts.map(({ what }) => what.startsWith('nat chain KUBE-MARK-MASQ')),
      [true],
    )
    await harness.pass()
    assert.equal(harness.kernel.rules('nat', 'KUBE-MARK-MASQ')?.length, 1)
    assert.match(harness.kernel.save(), /10\.244\.2\.2/)
    await settled(harness)
  })

  it('does not take what it just wrote for drift', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')))
    for (const text of ['10.244.1.2', '10.244.1.3']) {
      await harness.programmed(put(pods(text)))
      assert.deepEqual(await harness.sync.checkDrift('everything'), [])
      assert.deepEqual(await harness.sync.checkDrift('base'), [])
    }
    await harness.programmed(gone(web))
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
  })
})

describe('an inspection', () => {
  const start = async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')))
    const before = reads(harness)
    const inspect = () => harness.sync.inspect(harness.input, inspection)
    return { harness, inspect, readsSince: () => reads(harness) - before }
  }

  it('makes a plan only for who asks for one, and of a copy: what is wanted stays as it was', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')))
    const looked = await harness.sync.inspect(harness.input, facts => facts.change)
    const again = await harness.sync.inspect(harness.input, facts => facts.change)
    assert.notEqual(looked?.desired.services, again?.desired.services)
    looked?.desired.services.clear()
    const plain = await harness.sync.inspect(harness.input, inspection)
    assert.ok(plain !== undefined && !('plan' in plain))
    const planned = await harness.sync.inspect(harness.input, plannedInspection)
    assert.deepEqual([planned?.plan.steps, planned?.changes, planned?.drifts], [[], [], []])
  })

  it('waits for the end of the pass that is under way, and reads once', async () => {
    const { harness, inspect, readsSince } = await start()
    const going = Promise.withResolvers<void>()
    harness.kernel.before = ([tool]) => (tool?.endsWith('-restore') ? going.promise : undefined)
    harness.change(put(pods('10.244.1.2')))
    const passing = harness.pass()
    const found = inspect()
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(readsSince(), 0)
    going.resolve()
    await passing
    assert.deepEqual([(await found)?.drifts, readsSince()], [[], 1])
  })

  it('where passes come between its reads, reads at most once a second, and gives up at last', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { harness, inspect, readsSince } = await start()
    let pod = 1
    harness.kernel.before = async ([tool]) => {
      if (!tool?.endsWith('-save')) return
      harness.change(put(pods(`10.244.1.${++pod}`)))
      await harness.pass()
    }
    let found: unknown = 'nothing yet'
    void inspect().then(inspection => {
      found = inspection
    })
    for (let second = 1; second <= 5; second++) {
      for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
      assert.equal(readsSince(), second)
      t.mock.timers.tick(1000)
    }
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
    assert.deepEqual([found, readsSince()], [undefined, 5])
  })
})
