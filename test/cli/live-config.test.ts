// The running daemon's configuration: another mode or scheduler passes a gate first, and where that says no the old one stays, whatever else changes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stringify } from 'yaml'
import { LiveConfig } from '../../src/cli/live-config.ts'
import type { Logger } from '../../src/cli/log.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'

type Settings = Readonly<Record<string, unknown>>

/** Daemon, files and log in memory; `write` changes the file, and nobody reads it before `reload`. */
function start(initial: Settings) {
  let file: Settings = initial
  const readFile = (path: string): string => {
    if (path !== 'config.yaml') throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return stringify({ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', ...file })
  }
  const load = () => loadConfig({ flags: { config: 'config.yaml' }, readFile, hostname: 'node1' })
  const loaded = load()
  assert.ok(loaded.config)
  const said: string[] = []
  const say = (level: string) => (text: string) => said.push(`${level}: ${text}`)
  const log = { info: say('info'), warn: say('warn'), error: say('error'), debug: () => {} } as unknown as Logger
  const live = new LiveConfig({ loaded, config: loaded.config, load, log })
  const applied: Config[] = []
  live.onChange(config => applied.push(config))
  const gate: { asked: Config[]; answer: (config: Config) => Config['mode'] | Promise<Config['mode']> } = {
    asked: [],
    answer: ({ mode }) => mode,
  }
  live.onModeChange(async config => {
    gate.asked.push(config)
    const name = await gate.answer(config)
    return { name, insteadBecause: name === config.mode ? undefined : 'no module ip_vs' }
  })
  const write = (settings: Settings): void => {
    file = { ...file, ...settings }
  }
  const change = async (settings: Settings): Promise<void> => {
    write(settings)
    await live.reload()
  }
  return { live, applied, said, gate, write, change }
}

const refusing = (reason: string) => (): never => {
  throw new Error(reason)
}

const modeStays = { field: 'mode', inForce: '"iptables"', inFile: '"ipvs"', reason: 'no module ip_vs' }

describe('another mode in the file', () => {
  it('is in force when the gate lets it pass', async () => {
    const { live, applied, gate, change } = start({ mode: 'iptables' })
    await change({ mode: 'ipvs', ipvs: { scheduler: 'lc' } })
    assert.equal(live.config.mode, 'ipvs')
    assert.equal(live.config.traffic.ipvs.scheduler, 'lc')
    assert.deepEqual(
      gate.asked.map(({ mode }) => mode),
      ['ipvs'],
    )
    assert.equal(applied.length, 1)
  })

  it('that is refused is said with the reason, and mode and scheduler stay', async () => {
    const { live, applied, said, gate, change } = start({ mode: 'iptables' })
    gate.answer = refusing('no module ip_vs')
    await change({ mode: 'ipvs', ipvs: { scheduler: 'lc' } })
    assert.deepEqual([live.config.mode, live.config.traffic.ipvs.scheduler], ['iptables', 'rr'])
    assert.deepEqual(applied, [])
    assert.deepEqual(live.notInForce, [
      modeStays,
      { field: 'ipvs.scheduler', inForce: '"rr"', inFile: '"lc"', reason: 'no module ip_vs' },
    ])
    assert.match(said.join('\n'), /error: the change of mode from "?iptables"? to "?ipvs"?.* is refused.*no module ip_vs/)
  })

  it('that is refused keeps nothing else from being applied, now or later', async () => {
    const { live, applied, gate, change } = start({ mode: 'iptables', iptables: { syncPeriod: '30s' } })
    gate.answer = refusing('no module ip_vs')
    await change({ mode: 'ipvs', nodePortAddresses: ['10.0.0.0/8'] })
    assert.equal(live.config.mode, 'iptables')
    assert.deepEqual(live.config.traffic.nodePortAddresses, ['10.0.0.0/8'])
    await change({ nodePortAddresses: ['11.0.0.0/8'] })
    assert.equal(live.config.mode, 'iptables')
    assert.equal(applied.length, 2)
    assert.equal(gate.asked.length, 1, 'it is not asked for again where it did not change')
    assert.deepEqual(live.notInForce, [modeStays])
  })

  it('that was refused is tried when it is asked for again, and may be taken back', async () => {
    const { live, gate, change } = start({ mode: 'iptables' })
    gate.answer = refusing('no module ip_vs')
    await change({ mode: 'ipvs' })
    gate.answer = ({ mode }) => mode
    await change({ mode: 'iptables' })
    assert.equal(live.config.mode, 'iptables')
    assert.deepEqual(live.notInForce, [])
    await change({ mode: 'ipvs' })
    assert.equal(live.config.mode, 'ipvs')
    assert.deepEqual(live.notInForce, [])
  })

  it('that falls back to what can run here runs as that, also after other changes', async () => {
    const { live, gate, change } = start({ mode: 'iptables' })
    gate.answer = () => 'iptables'
    await change({ mode: 'ipvs' })
    assert.equal(live.config.mode, 'iptables')
    assert.deepEqual(live.notInForce, [modeStays])
    await change({ nodePortAddresses: ['10.0.0.0/8'] })
    assert.equal(live.config.mode, 'iptables')
  })

  it('that fell back at start is known as that', async () => {
    const { live, change } = start({ mode: 'ipvs' })
    live.runs({ name: 'iptables', insteadBecause: 'no module ip_vs' })
    assert.equal(live.config.mode, 'iptables')
    assert.deepEqual(live.notInForce, [modeStays])
    await change({ nodePortAddresses: ['10.0.0.0/8'] })
    assert.equal(live.config.mode, 'iptables')
  })
})

describe('another scheduler in the file', () => {
  it('passes the gate as another mode does', async () => {
    const { live, gate, change } = start({ mode: 'ipvs', ipvs: { scheduler: 'rr' } })
    gate.answer = ({ traffic }) => {
      if (traffic.ipvs.scheduler === 'lblcr') throw new Error('no module ip_vs_lblcr')
      return 'ipvs'
    }
    await change({ ipvs: { scheduler: 'lblcr' } })
    assert.equal(live.config.traffic.ipvs.scheduler, 'rr')
    await change({ ipvs: { scheduler: 'sh' } })
    assert.equal(live.config.traffic.ipvs.scheduler, 'sh')
  })
})

describe('two changes, of which the first takes its time', () => {
  it('are applied one after the other, and the last is in force', async () => {
    const { live, gate, write } = start({ mode: 'iptables' })
    const first = Promise.withResolvers<void>()
    gate.answer = async ({ mode, traffic }) => {
      if (traffic.ipvs.scheduler === 'lc') await first.promise
      return mode
    }
    write({ mode: 'ipvs', ipvs: { scheduler: 'lc' } })
    const slow = live.reload()
    await new Promise(resolve => setImmediate(resolve))
    write({ ipvs: { scheduler: 'sh' } })
    const quick = live.reload()
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(gate.asked.length, 1, 'the second waits')
    first.resolve()
    await Promise.all([slow, quick])
    assert.equal(live.config.traffic.ipvs.scheduler, 'sh')
    assert.deepEqual(
      gate.asked.map(({ traffic }) => traffic.ipvs.scheduler),
      ['lc', 'sh'],
    )
  })
})

describe('a file that is wrong', () => {
  it('changes nothing, asks for no mode, and is said once; what is not in force is known until it is right', async () => {
    const { live, said, gate, change } = start({ mode: 'iptables' })
    assert.equal(live.notInForce.length, 0)
    await change({ mode: 'userspace' })
    await change({})
    assert.equal(live.config.mode, 'iptables')
    const errors = said.filter(line => line.startsWith('error'))
    assert.equal(errors.length, 1)
    assert.deepEqual(gate.asked, [])
    const [wrong, ...others] = live.notInForce
    assert.deepEqual([wrong?.field, wrong?.inForce, wrong?.inFile, others], [undefined, undefined, undefined, []])
    assert.match(wrong?.reason ?? '', /^config\.yaml:\d+: mode: "userspace" is not allowed/)
    assert.ok(errors[0]?.endsWith(wrong?.reason ?? 'a reason'))
    await change({ mode: 'iptables' })
    assert.deepEqual(live.notInForce, [])
  })
})

describe('a setting that the process started with', () => {
  it('is not in force as the file has it until the next start, or until the file has the old value', async () => {
    const { live, change } = start({ mode: 'iptables', healthzBindAddress: '127.0.0.1:10256' })
    await change({ healthzBindAddress: '127.0.0.1:10257' })
    const reason = 'takes effect when Switchyard is restarted'
    const waits = { field: 'healthzBindAddress', inForce: '"127.0.0.1:10256"', inFile: '"127.0.0.1:10257"', reason }
    assert.deepEqual(live.notInForce, [waits])
    await change({ nodePortAddresses: ['10.0.0.0/8'] })
    assert.deepEqual(live.notInForce, [waits])
    await change({ healthzBindAddress: '127.0.0.1:10256' })
    assert.deepEqual(live.notInForce, [])
  })
})
