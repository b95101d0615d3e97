// What ipvs mode sets on a node, by kernel and by settings, against what kube-proxy set there.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CommandError, type Exec } from '../../src/kernel/exec.ts'
import { parseTimeouts } from '../../src/kernel/ipvs-timeouts.ts'
import { ipvsModeSysctls, performTimeouts, plannedIpvsSysctls, wantedTimeouts } from '../../src/sync/ipvs-duties.ts'
import { perform } from '../../src/sync/node-duties.ts'

const golden = (scenario: string, file: string): string =>
  readFileSync(join(import.meta.dirname, '../golden', scenario, file), 'utf8')

const planned = (strictArp: boolean, kernelRelease: string): Record<string, string> =>
  Object.fromEntries(plannedIpvsSysctls({ strictArp }, { kernelRelease }).map(({ name, value }) => [name, String(value)]))

/** A kernel that has nothing on, and where IPVS reuses connections as it does by itself. */
const fresh = { 'net.ipv4.vs.conn_reuse_mode': '1', 'net.ipv4.conf.all.arp_ignore': '0', 'net.ipv4.conf.all.arp_announce': '0' }

describe('plannedIpvsSysctls', () => {
  for (const [scenario, strictArp] of [
    ['clusterip', false],
    ['ipvs-strict-arp', true],
  ] as const) {
    it(`leads to what kube-proxy set on kernel 6.1 for ${scenario}`, () => {
      const lines = golden(scenario, 'ipvs.sysctls').trim().split('\n')
      const recorded = Object.fromEntries(lines.map(line => line.split(' = ')))
      assert.deepEqual({ ...fresh, ...planned(strictArp, '6.1.0') }, recorded)
    })
  }

  const reuse = 'net.ipv4.vs.conn_reuse_mode'
  const kernels: readonly (readonly [string, string | undefined])[] = [
    ['3.10.0-1160.el7.x86_64', undefined],
    ['4.0.9', undefined],
    ['4.1.0', '0'],
    ['4.19.0-21-amd64', '0'],
    ['5.8.18', '0'],
    ['5.9.0', undefined],
    ['5.10.0', undefined],
    ['6.18.44', undefined],
    ['10.1', undefined],
    ['unheard of', undefined],
  ]
  for (const [release, value] of kernels) {
    it(`${value === undefined ? 'leaves' : 'switches off'} conn_reuse_mode on kernel ${release}`, () => {
      assert.equal(planned(false, release)[reuse], value)
    })
  }

  it('plans nothing that would stay where the mode is left, but forwarding', () => {
    const names = Object.keys(planned(true, '5.4'))
    assert.deepEqual(
      names.filter(name => !ipvsModeSysctls.includes(name as never)),
      ['net.ipv4.ip_forward'],
    )
  })

  it('names the module where a parameter is absent, and what its lack means where it is refused', async () => {
    const held = new Map([['net.ipv4.ip_forward', '0']])
    const sysctl = {
      read: async (name: string) => held.get(name),
      write: async () => Promise.reject(new Error('advice', { cause: new Error('EROFS: read-only file system, open') })),
    }
    const { refused } = await perform({
      planned: plannedIpvsSysctls({ strictArp: false }, { kernelRelease: '6.1' }),
      sysctl,
      files: sysctl,
    })
    const messages = refused.map(({ message }) => message)
    assert.match(
      messages[0] ?? '',
      /^cannot set net\.ipv4\.vs\.conntrack to 1 \(mode: ipvs\): .*\(is the kernel module ip_vs loaded\?\);/,
    )
    assert.match(
      messages.at(-1) ?? '',
      /ip_forward to 1 .*EROFS.*; set it on the host .*; without it nothing reaches endpoints on/,
    )
  })
})

describe('IPVS timeouts', () => {
  const present = { tcp: 900, tcpFin: 120, udp: 300 }
  const none = { tcpTimeoutSeconds: undefined, tcpFinTimeoutSeconds: undefined, udpTimeoutSeconds: undefined }

  it('are read as ipvsadm prints them', () => {
    assert.deepEqual(parseTimeouts(golden('clusterip', 'ipvs.timeouts')), present)
    assert.throws(() => parseTimeouts('Timeouts: none\n'), /printed "Timeouts: none\\n", expected a line such as/)
  })

  it('are set together: those that nobody chose as they are', () => {
    assert.equal(wantedTimeouts(none, present), undefined)
    assert.equal(wantedTimeouts({ ...none, tcpTimeoutSeconds: 900, udpTimeoutSeconds: 300 }, present), undefined)
    assert.deepEqual(wantedTimeouts({ ...none, udpTimeoutSeconds: 30 }, present), { ...present, udp: 30 })
  })

  const recording = (): { exec: Exec; ran: string[] } => {
    const ran: string[] = []
    const exec: Exec = async ({ argv }) => {
      ran.push(argv.join(' '))
      return { stdout: 'Timeout (tcp tcpfin udp): 900 120 300\n', stderr: '', milliseconds: 1 }
    }
    return { exec, ran }
  }

  it('start no process where none is chosen, and none that writes where they are right', async () => {
    const { exec, ran } = recording()
    assert.equal(await performTimeouts(none, exec), undefined)
    assert.deepEqual(ran, [])
    assert.equal(await performTimeouts({ ...none, tcpFinTimeoutSeconds: 120 }, exec), undefined)
    assert.deepEqual(ran, ['ipvsadm -l --timeout'])
  })

  it('are told with their old values', async () => {
    const { exec, ran } = recording()
    const changed = await performTimeouts({ ...none, tcpFinTimeoutSeconds: 60 }, exec)
    assert.deepEqual(ran, ['ipvsadm -l --timeout', 'ipvsadm --set 900 60 300'])
    assert.deepEqual([changed?.from, changed?.to], ['900 120 300', '900 60 300'])
  })

  it('that cannot be read are a failure of the command', async () => {
    const argv = ['ipvsadm', '-l', '--timeout']
    const failing: Exec = async () => {
      throw new CommandError({ argv, failure: 'failed', stderr: '', reason: 'no IPVS' })
    }
    await assert.rejects(performTimeouts({ ...none, udpTimeoutSeconds: 1 }, failing), CommandError)
  })
})
