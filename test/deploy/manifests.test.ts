// What `kubectl apply -k` would send: the same from an old and a new kubectl, and all of it of the Kubernetes API's own types.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { build, buildOne, buildWith, deployFolder, kubectls, type Manifest } from './kustomize.ts'
import { validate } from './openapi.ts'

const folders = ['agent', 'base', 'overlays/kubeadm-takeover', 'overlays/pod-monitor']

/** Fields that kubectl 1.14 to 1.20 (kustomize 2.0.3) and today's read alike. `bases` is the old word for a folder in `resources`. */
const oldAndNew = new Set(['apiVersion', 'kind', 'bases', 'resources', 'images'])

function names(objects: readonly Manifest[]): readonly string[] {
  return objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted()
}

const agent = ['ClusterRole switchyard', 'ClusterRoleBinding switchyard', 'ConfigMap switchyard', 'DaemonSet switchyard']
const contents: Readonly<Record<string, readonly string[]>> = {
  agent: [...agent, 'ServiceAccount switchyard'],
  base: [...agent, 'ConfigMap kube-proxy', 'ServiceAccount switchyard'].toSorted(),
  'overlays/kubeadm-takeover': [...agent, 'DaemonSet kube-proxy', 'ServiceAccount switchyard'].toSorted(),
  'overlays/pod-monitor': ['PodMonitor switchyard'],
}

describe('the kustomizations', () => {
  for (const folder of folders) {
    test(`deploy/${folder} holds what it should, each object of its Kubernetes type`, async () => {
      const objects = await build(folder)
      assert.deepEqual(names(objects), contents[folder])
      assert.deepEqual(
        objects.flatMap(object => validate(object).map(problem => `${object.kind} ${object.metadata.name}: ${problem}`)),
        [],
      )
    })

    test(`deploy/${folder} means the same to every kubectl here`, async () => {
      const [first, ...others] = await Promise.all((await kubectls()).map(kubectl => buildWith(kubectl, folder)))
      for (const other of others) assert.deepEqual(other, first)
    })

    test(`deploy/${folder} uses only words of kustomize that are neither too new nor gone`, async () => {
      const kustomization: unknown = parse(await readFile(join(deployFolder, folder, 'kustomization.yaml'), 'utf8'))
      assert.ok(typeof kustomization === 'object' && kustomization !== null)
      assert.deepEqual(
        Object.keys(kustomization).filter(field => !oldAndNew.has(field)),
        [],
      )
    })
  }

  test('everything that has a namespace is in kube-system', async () => {
    const clusterWide = new Set(['ClusterRole', 'ClusterRoleBinding'])
    const objects = (await Promise.all(folders.map(build))).flat()
    for (const { kind, metadata } of objects) {
      assert.equal(metadata.namespace, clusterWide.has(kind) ? undefined : 'kube-system', `${kind} ${metadata.name}`)
    }
  })

  test('the image is the version of package.json', async () => {
    const { version } = JSON.parse(await readFile(join(deployFolder, '../package.json'), 'utf8'))
    const text = JSON.stringify(await build('base'))
    const images = [...text.matchAll(/"image":"([^"]+)"/g)].map(match => match[1])
    assert.deepEqual(images, Array(2).fill(`registry.example.com/switchyard:${version}`))
  })

  test("the takeover only adds a label to select by to kubeadm's DaemonSet", async () => {
    const { spec } = await buildOne('overlays/kubeadm-takeover', 'DaemonSet', 'kube-proxy')
    assert.deepEqual(spec, {
      selector: { matchLabels: { 'k8s-app': 'kube-proxy' } },
      template: {
        metadata: { labels: { 'k8s-app': 'kube-proxy' } },
        spec: { nodeSelector: { 'switchyard/service-proxy': 'kube-proxy' }, containers: [{ name: 'kube-proxy' }] },
      },
    })
  })
})

describe('the validation', () => {
  const pod = 'spec.template.spec'
  const mistakes: readonly [title: string, path: string, value: unknown, problem: string][] = [
    ['an unknown field', `${pod}.hostNetwrok`, true, `${pod}.hostNetwrok: V1PodSpec has no such field`],
    ['an unknown field of an item', `${pod}.volumes.1.nam`, '', `${pod}.volumes[1].nam: V1Volume has no such field`],
    ['a string for a boolean', `${pod}.hostNetwork`, 'yes', `${pod}.hostNetwork: "yes" is no boolean`],
    ['a number for a string', 'metadata.labels.tier', 1, 'metadata.labels.tier: 1 is no string'],
    ['a fraction for an integer', 'spec.minReadySeconds', 0.5, 'spec.minReadySeconds: 0.5 is no integer'],
    ['a mapping for a list', `${pod}.tolerations`, {}, `${pod}.tolerations: {} is no list`],
    ['a list for a mapping', 'spec.selector', [], 'spec.selector: [] is no V1LabelSelector'],
    ['a null for a mapping', 'spec.selector', null, 'spec.selector: null is no V1LabelSelector'],
    ['a required field that is missing', 'spec.template', undefined, 'spec.template: is missing'],
  ]

  for (const [title, path, value, problem] of mistakes) {
    test(`refuses ${title}`, async () => {
      const daemonSet = await buildOne('agent', 'DaemonSet', 'switchyard')
      assert.deepEqual(validate(withField(daemonSet, path.split('.'), value)), [problem])
    })
  }

  test('refuses a kind that we do not use', async () => {
    const daemonSet = await buildOne('agent', 'DaemonSet', 'switchyard')
    assert.match(validate({ ...daemonSet, kind: 'Deployment' }).join(), /^kind apps\/v1 Deployment is not one of v1 ConfigMap, /)
  })

  test('refuses an unknown field of a PodMonitor', async () => {
    const monitor = await buildOne('overlays/pod-monitor', 'PodMonitor', 'switchyard')
    assert.deepEqual(validate({ ...monitor, spec: { ...Object(monitor['spec']), endpoints: [] } }), [
      'spec.endpoints: PodMonitorSpec has no such field',
    ])
  })
})

/** A copy with another value at the path; undefined takes the field away. */
function withField(value: unknown, [name, ...rest]: readonly string[], field: unknown): unknown {
  if (name === undefined) return field
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...Object(value) }
  const changed = withField(Reflect.get(copy, name), rest, field)
  if (changed === undefined) Reflect.deleteProperty(copy, name)
  else Reflect.set(copy, name, changed)
  return copy
}
