// The ConfigMap kube-proxy as guides and operators use it: read by the real loaders, and changed by the well-known sed command.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { execa } from 'execa'
import { parse } from 'yaml'
import { difference } from '../../src/config/difference.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { loadCredentials } from '../../src/source/kubernetes/credentials.ts'
import { container, flagsOf, podSpec } from './daemon-set.ts'
import { buildOne, buildText, kubectls, type Manifest } from './kustomize.ts'

describe('the ConfigMap kube-proxy', () => {
  test('is a configuration without mistakes, and all that it sets has a meaning', async () => {
    const { config, errors, warnings, notices } = await load(await configMap())
    assert.deepEqual([...errors, ...warnings], [])
    assert.deepEqual(
      notices.map(({ path }) => path),
      ['clusterCIDR'],
      'only what is to be edited',
    )
    assert.equal(config?.mode, 'iptables')
    assert.equal(config?.nodeName, 'node1')
  })

  test('is shown by kubectl as text, so that commands for text work', async () => {
    assert.match(await shownByKubectl(), /\n {2}config\.conf: \|\n/)
  })

  test('the well-known sed command makes ARP strict, takes effect live, and changes nothing else', async () => {
    const before = await shownByKubectl()
    const { stdout: after } = await execa('sed', ['-e', 's/strictARP: false/strictARP: true/'], { input: before })
    const [lenient, strict] = await Promise.all([before, after].map(text => load(parse(text))))
    assert.equal(lenient?.config?.ipvs.strictArp, false)
    assert.equal(strict?.config?.ipvs.strictArp, true)
    assert.ok(lenient !== undefined && strict !== undefined)
    assert.deepEqual(difference(lenient, strict), {
      live: [{ path: 'ipvs.strictARP', before: 'false', after: 'true' }],
      restart: [],
    })
  })

  test('brings a kubeconfig where the configuration looks for it, with a server that cannot be mistaken for one', async () => {
    const map = await configMap()
    const { config } = await load(map)
    assert.deepEqual(config?.source, { kind: 'api server', kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf', master: undefined })
    const folder = await mkdtemp(join(tmpdir(), 'switchyard-kubeconfig-'))
    try {
      const kubeconfig = join(folder, 'kubeconfig.conf')
      await writeFile(kubeconfig, dataOf(map, 'kubeconfig.conf'))
      assert.equal((await loadCredentials({ kubeconfig })).server, 'https://control-plane-endpoint.invalid:6443')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('the ConfigMap switchyard', () => {
  test('stands beside the other and is found there', async () => {
    const settings = await buildOne('base', 'ConfigMap', 'switchyard')
    assert.deepEqual(Object.keys(Object(settings['data'])), ['switchyard.conf'])
    const { files, errors, warnings, config } = await load(await configMap(), settings)
    assert.deepEqual(files, ['/var/lib/kube-proxy/config.conf', '/var/lib/kube-proxy/switchyard.conf'])
    assert.deepEqual([...errors, ...warnings], [])
    assert.equal(config?.iptablesBackend, 'auto')
  })

  test('is read there: another value counts', async () => {
    const { metadata, ...settings } = await buildOne('base', 'ConfigMap', 'switchyard')
    const data = { 'switchyard.conf': dataOf({ metadata, ...settings }, 'switchyard.conf').replace('auto', 'legacy') }
    const { config } = await load(await configMap(), { ...settings, metadata, data })
    assert.equal(config?.iptablesBackend, 'legacy')
  })
})

function configMap(): Promise<Manifest> {
  return buildOne('base', 'ConfigMap', 'kube-proxy')
}

/** The one object, as kubectl writes it. */
async function shownByKubectl(): Promise<string> {
  const [kubectl] = await kubectls()
  assert.ok(kubectl !== undefined)
  const objects = (await buildText(kubectl, 'base')).split(/^---\n/m)
  const shown = objects.find(text => /^kind: ConfigMap$/m.test(text) && /^ {2}name: kube-proxy$/m.test(text))
  assert.ok(shown !== undefined)
  return shown
}

/** As the agent reads it: by the DaemonSet's own command line, from the folder that the ConfigMaps are mounted as. */
async function load(...maps: readonly Manifest[]): Promise<LoadedConfig> {
  const files = new Map(maps.flatMap(({ data }) => Object.entries(Object(data)).map(([name, text]) => [name, String(text)])))
  const readFile = (path: string): string => {
    const text = files.get(path.replace(/^\/var\/lib\/kube-proxy\//, ''))
    if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
    return text
  }
  return loadConfig({ flags: flagsOf(container(await podSpec(), 'switchyard')), readFile, hostname: 'ignored' })
}

function dataOf({ data }: Manifest, key: string): string {
  return String(Reflect.get(Object(data), key))
}
