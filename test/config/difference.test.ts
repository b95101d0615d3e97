import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { difference, reloadedConfig } from '../../src/config/difference.ts'
import type { Fields } from '../../src/config/field.ts'
import { kubeProxyFields } from '../../src/config/kube-proxy-fields.ts'
import { kubeProxySamples } from './sample-values.ts'
import { header, load, loadFile, nest, switchyardHeader } from './support.ts'

test('each changed field is live, or needs a restart, or counts for nothing', () => {
  const fields: Fields = kubeProxyFields
  const before = loadFile('')
  for (const [path, { good }] of Object.entries(kubeProxySamples)) {
    const { live, restart } = difference(before, loadFile(stringify(nest(path, good))))
    const reload = fields[path]?.reload
    assert.deepEqual(
      live.map(change => change.path),
      reload === 'live' ? [path] : [],
      path,
    )
    // An IPv6 bindAddress would move the two servers too; the sample's first address is IPv4.
    assert.deepEqual(
      restart.map(change => change.path),
      reload === 'restart' ? [path] : [],
      path,
    )
  }
})

test('the values are shown as the file has them, and those of switchyard.conf too', () => {
  const files = (yaml: string, switchyard: string) =>
    load(['--config=/c/f'], { '/c/f': header + yaml, '/c/switchyard.conf': switchyardHeader + switchyard })
  const before = files('mode: iptables\n', 'backend: nft\n')
  const after = files('mode: ipvs\niptables: {masqueradeBit: 15, syncPeriod: 1m}\n', 'drain: {deadline: 1m}\n')
  assert.deepEqual(difference(before, after), {
    live: [
      { path: 'mode', before: '"iptables"', after: '"ipvs"' },
      { path: 'iptables.syncPeriod', before: '"30s"', after: '"1m0s"' },
      { path: 'drain.deadline', before: '"15m0s"', after: '"1m0s"' },
    ],
    restart: [
      { path: 'iptables.masqueradeBit', before: '14', after: '15' },
      { path: 'backend', before: '"nft"', after: '"auto"' },
    ],
  })
  assert.deepEqual(difference(before, before), { live: [], restart: [] })
})

test('a reload takes the live fields and keeps the others until the next start', () => {
  const before = loadFile('hostnameOverride: a\nhealthzBindAddress: 127.0.0.1:1\n')
  const after = loadFile(
    'hostnameOverride: b\nhealthzBindAddress: 127.0.0.1:2\nmode: ipvs\niptables: {masqueradeAll: true, masqueradeBit: 15}\n',
  )
  const config = reloadedConfig(before, after)
  assert.equal(config.nodeName, 'a')
  assert.equal(config.healthBind?.port, 1)
  assert.equal(config.mode, 'ipvs')
  assert.deepEqual([config.traffic.masqueradeAll, config.traffic.masqueradeMark], [true, 0x4000])
  assert.deepEqual(reloadedConfig(before, before), before.config)
})
