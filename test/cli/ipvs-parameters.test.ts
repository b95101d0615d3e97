// Kernel parameters of ipvs mode in a running daemon: set, repaired with a line that says so, put back.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { createIpvsParameters, type IpvsParameters, keepIpvsParameters } from '../../src/cli/ipvs-parameters.ts'
import type { IpvsSettings } from '../../src/config/config.ts'
import type { Exec } from '../../src/kernel/exec.ts'
import { openStateFile } from '../../src/kernel/state-file.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { originalsIn } from '../../src/sync/originals.ts'

const settings: IpvsSettings = {
  scheduler: 'rr',
  excludeCidrs: [],
  strictArp: false,
  tcpTimeoutSeconds: undefined,
  tcpFinTimeoutSeconds: undefined,
  udpTimeoutSeconds: undefined,
  whenUnavailable: 'fail',
  drainDeadlineMs: 0,
  drainGoneDeadlineMs: 0,
  modeChangeDeadlineMs: 0,
}

const conntrack = 'net.ipv4.vs.conntrack'
const ignore = 'net.ipv4.conf.all.arp_ignore'
const announce = 'net.ipv4.conf.all.arp_announce'
const forward = 'net.ipv4.ip_forward'
const fresh = {
  [conntrack]: '0',
  'net.ipv4.vs.conn_reuse_mode': '1',
  'net.ipv4.vs.expire_nodest_conn': '0',
  'net.ipv4.vs.expire_quiescent_template': '0',
  [forward]: '0',
  [ignore]: '0',
  [announce]: '0',
}

interface Node extends AsyncDisposable {
  readonly values: Record<string, string>
  readonly lines: { level: string; msg: string }[]
  readonly ran: string[]
  /** As a daemon that starts now has them. */
  start(): Promise<IpvsParameters>
}

async function node(refusing: readonly string[] = []): Promise<Node> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-ipvs-parameters-'))
  const values: Record<string, string> = { ...fresh }
  const lines: { level: string; msg: string }[] = []
  const ran: string[] = []
  let timeouts = '900 120 300'
  const exec: Exec = async ({ argv }) => {
    ran.push(argv.join(' '))
    if (argv[1] === '--set') timeouts = argv.slice(2).join(' ')
    return { stdout: `Timeout (tcp tcpfin udp): ${timeouts}\n`, stderr: '', milliseconds: 1 }
  }
  const log = pino(
    { level: 'info', formatters: { level: level => ({ level }) } },
    { write: (line: string) => lines.push(JSON.parse(line)) },
  )
  const sysctl = {
    read: async (name: string) => values[name],
    write: async (name: string, value: string) => {
      if (refusing.includes(name)) throw new Error('advice', { cause: new Error('EROFS: read-only file system') })
      values[name] = value
    },
  }
  return {
    values,
    lines,
    ran,
    start: async () => {
      const file = await openStateFile({ path: join(folder, 'state.json'), warn: message => assert.fail(message) })
      return createIpvsParameters({ exec, sysctl, originals: originalsIn(file), kernelRelease: '5.4.0', log })
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

describe('parameters of ipvs mode', () => {
  it('are set, and told with their old values; the second time nothing is done', async () => {
    await using host = await node()
    const parameters = await host.start()
    await parameters.ensure({ ...settings, strictArp: true, udpTimeoutSeconds: 60 })
    assert.deepEqual(host.values, {
      [conntrack]: '1',
      'net.ipv4.vs.conn_reuse_mode': '0',
      'net.ipv4.vs.expire_nodest_conn': '1',
      'net.ipv4.vs.expire_quiescent_template': '1',
      [forward]: '1',
      [ignore]: '1',
      [announce]: '2',
    })
    assert.deepEqual(host.ran, ['ipvsadm -l --timeout', 'ipvsadm --set 900 120 60'])
    const told = host.lines.length
    assert.equal(told, 8)
    assert.ok(host.lines.every(({ level }) => level === 'info'))
    assert.equal(host.lines[0]?.msg, `${conntrack}: 0 -> 1 (mode: ipvs)`)
    await parameters.ensure({ ...settings, strictArp: true, udpTimeoutSeconds: 60 })
    assert.equal(host.lines.length, told)
  })

  it('are repaired with a check of the kernel, and only while ipvs mode is in force', async () => {
    await using host = await node()
    const parameters = await host.start()
    await parameters.ensure(settings)
    const events = createSyncEmitter()
    let current: IpvsSettings | undefined
    keepIpvsParameters({ events, parameters, settings: () => current })
    const check = async (): Promise<void> => {
      for (const family of ['IPv4', 'IPv6'] as const)
        events.emit('checked', { family, extent: 'base', drifts: 0, milliseconds: 1 })
      for (let turns = 0; turns < 10; turns++) await turn()
    }
    host.values[conntrack] = '0'
    host.lines.length = 0
    check()
    for (let turns = 0; turns < 20; turns++) await turn()
    assert.equal(host.values[conntrack], '0')
    current = settings
    check()
    for (const start = performance.now(); host.lines.length === 0 && performance.now() - start < 5000; ) await turn()
    assert.equal(host.values[conntrack], '1')
    assert.deepEqual(
      host.lines.map(({ level, msg }) => `${level}: ${msg}`),
      [`warn: someone changed ${conntrack} to 0: set back to 1 (mode: ipvs)`],
    )
  })

  it('follow ipvs.strictARP, back to what was there before, also after a restart', async () => {
    await using host = await node()
    host.values[ignore] = '8'
    await (await host.start()).ensure({ ...settings, strictArp: true })
    assert.deepEqual([host.values[ignore], host.values[announce]], ['1', '2'])
    const restarted = await host.start()
    host.lines.length = 0
    await restarted.ensure(settings)
    assert.deepEqual([host.values[ignore], host.values[announce]], ['8', '0'])
    assert.match(host.lines[0]?.msg ?? '', /arp_ignore: 1 -> 8, as it was before Switchyard/)
    await restarted.ensure({ ...settings, strictArp: true })
    assert.equal(host.lines.at(-1)?.msg, `${announce}: 0 -> 2 (ipvs.strictARP)`)
  })

  it('never touch ARP where ipvs.strictARP was never on', async () => {
    await using host = await node()
    host.values[ignore] = '1'
    await (await host.start()).ensure(settings)
    assert.equal(host.values[ignore], '1')
  })

  it('are put back when the mode is left, but forwarding, which iptables mode needs too', async () => {
    await using host = await node()
    const parameters = await host.start()
    await parameters.ensure({ ...settings, strictArp: true })
    await parameters.restore()
    assert.deepEqual(host.values, { ...fresh, [forward]: '1' })
  })

  it('that the kernel refuses are a warning, said once, and all others are set', async () => {
    await using host = await node([conntrack])
    const parameters = await host.start()
    await parameters.ensure(settings)
    await parameters.ensure(settings)
    const warnings = host.lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /cannot set net\.ipv4\.vs\.conntrack to 1 .*EROFS.*without it answers to masqueraded clients/)
    assert.equal(host.values[forward], '1')
  })
})
