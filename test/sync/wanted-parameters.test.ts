// Which kernel parameters are wrong, from a folder in place of /proc/sys: for what a node serves, and whose they are.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { type ServedFamily, wrongParametersFor } from '../../src/sync/wanted-parameters.ts'
import { settings } from '../support/cluster.ts'

const localnet = 'net.ipv4.conf.all.route_localnet'
const [forward, forward6] = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']
const served = (family: ServedFamily['family'], hasServices = true, hasNodePorts = false): ServedFamily => {
  return { family, hasServices, hasNodePorts }
}

const rows: readonly (readonly [
  title: string,
  values: Readonly<Record<string, string>>,
  families: readonly ServedFamily[],
  wrong: readonly string[],
  mode?: 'ipvs',
])[] = [
  ['all as it should be', { [localnet]: '1', [forward]: '1', [forward6]: '1' }, [served('IPv4', true, true), served('IPv6')], []],
  [
    'forwarding, of the families that have Services',
    { [forward]: '0', [forward6]: '0' },
    [served('IPv4'), served('IPv6', false)],
    [forward],
  ],
  ['forwarding of IPv6', { [forward]: '0', [forward6]: '0' }, [served('IPv4', false), served('IPv6')], [forward6]],
  ['forwarding that this kernel does not have', {}, [served('IPv4'), served('IPv6')], []],
  ['route_localnet, with node ports', { [localnet]: '0', [forward]: '1' }, [served('IPv4', true, true)], [`${localnet} (ours)`]],
  ['route_localnet, without node ports', { [localnet]: '0', [forward]: '1' }, [served('IPv4')], []],
  [
    'forwarding is set by ipvs mode, for IPv4',
    { [forward]: '0', [forward6]: '0' },
    [served('IPv4'), served('IPv6')],
    [`${forward} (ours)`, forward6],
    'ipvs',
  ],
]

describe('wrong kernel parameters', () => {
  for (const [title, values, families, wrong, mode = 'iptables'] of rows) {
    it(title, async () => {
      const sysctlRoot = await mkdtemp(join(tmpdir(), 'parameters-'))
      try {
        for (const [name, value] of Object.entries(values)) {
          const file = join(sysctlRoot, ...name.split('.'))
          await mkdir(dirname(file), { recursive: true })
          await writeFile(file, `${value}\n`)
        }
        const found = await wrongParametersFor(
          { mode, traffic: settings, ipvs: { strictArp: false } as never, sysctlRoot },
          families,
        )
        const rest = found.filter(({ name }) => !name.startsWith('net.ipv4.vs.'))
        assert.deepEqual(
          rest.map(({ name, isOurs }) => (isOurs ? `${name} (ours)` : name)),
          wrong,
        )
      } finally {
        await rm(sysctlRoot, { recursive: true })
      }
    })
  }
})
