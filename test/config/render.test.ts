import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { stringify } from 'yaml'
import { isMapping } from '../../src/config/field-type.ts'
import { kubeProxyObject, kubeProxyYaml, switchyardYaml } from '../../src/config/render.ts'
import { kubeProxySamples, switchyardSamples } from './sample-values.ts'
import { lines, load, loadFile, nest } from './support.ts'

suite('the written file', () => {
  const samples: readonly (readonly [string, string])[] = [
    ['defaults', ''],
    ...Object.entries(kubeProxySamples).map(([path, { good }]): [string, string] => [path, stringify(nest(path, good))]),
  ]
  for (const [name, yaml] of samples) {
    test(`reads back to the same settings: ${name}`, () => {
      const written = loadFile(yaml)
      for (const text of [kubeProxyYaml(written.effective), kubeProxyYaml(written.effective, written.origins)]) {
        const read = load(['--config=/c'], { '/c': text })
        assert.deepEqual(lines([...read.errors, ...read.warnings]), [])
        assert.deepEqual(read.effective, written.effective)
      }
    })
  }

  test('switchyard.conf reads back as well', () => {
    const settings = Object.entries(switchyardSamples).map(([path, { good }]) => stringify(nest(path, good)))
    for (const yaml of ['', ...settings]) {
      const written = load(['--switchyard-config=/s'], {
        '/s': `apiVersion: switchyard/v1alpha1\nkind: SwitchyardConfiguration\n${yaml}`,
      })
      const read = load(['--switchyard-config=/s'], { '/s': switchyardYaml(written.switchyard, written.origins) })
      assert.deepEqual(lines(read.errors), [])
      assert.deepEqual(read.switchyard, written.switchyard)
    }
  })
})

test('each value is followed by its origin', () => {
  const loaded = loadFile('iptables: {masqueradeAll: true}\nnodePortAddresses: [primary]\n', ['-v=2', '--hostname-override=n1'])
  const text = kubeProxyYaml(loaded.effective, loaded.origins)
  const line = (start: string) => text.split('\n').filter(candidate => candidate.trimStart().startsWith(start))
  assert.deepEqual(line('verbosity'), ['  verbosity: 2 # flag'])
  assert.deepEqual(line('hostnameOverride'), ['hostnameOverride: n1 # flag'])
  assert.deepEqual(line('masqueradeAll'), ['  masqueradeAll: true # file', '  masqueradeAll: false # default'])
  assert.deepEqual(line('nodePortAddresses'), ['nodePortAddresses: [ primary ] # file'])
  assert.deepEqual(line('excludeCIDRs'), ['  excludeCIDRs: [] # default'])
  assert.deepEqual(line('tcpEstablishedTimeout'), ['  tcpEstablishedTimeout: 24h0m0s # default'])
  const leaves = text.split('\n').filter(candidate => /: \S/.test(candidate) && !/^(apiVersion|kind):/.test(candidate))
  assert.deepEqual(
    leaves.filter(candidate => !/ # (default|file|flag)$/.test(candidate)),
    [],
  )
  assert.equal(leaves.length, Object.keys(loaded.effective).length)
})

test('/configz has the sections of the API, durations as text', () => {
  const object = kubeProxyObject(loadFile('').effective)
  assert.ok(isMapping(object))
  assert.deepEqual(Object.keys(object).slice(0, 2), ['apiVersion', 'kind'])
  assert.deepEqual(object['iptables'], {
    masqueradeBit: 14,
    masqueradeAll: false,
    localhostNodePorts: true,
    syncPeriod: '30s',
    minSyncPeriod: '1s',
  })
  assert.deepEqual(JSON.parse(JSON.stringify(object)), object)
})
