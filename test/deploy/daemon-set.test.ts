// The DaemonSet: privileges, files, probes, memory and rollout, each as the agent and docs/deploying.md count on them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { V1PodSpec } from '@kubernetes/client-node'
import { healthzPort, metricsPort } from '../../src/config/kube-proxy-fields.ts'
import { container, daemonSet, flagsOf, mountsOf, podSpec, present } from './daemon-set.ts'

const tools = 400_000_000
const mebi = 2 ** 20

describe('the DaemonSet', () => {
  test('the agent is not privileged: root with two capabilities, on a file system that it cannot write', async () => {
    const { securityContext } = container(await podSpec(), 'switchyard')
    assert.deepEqual(securityContext, {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
    })
  })

  test('only the init container is privileged, and it ends by itself', async () => {
    const pod = await podSpec()
    assert.deepEqual(
      pod.initContainers?.map(({ name }) => name),
      ['init'],
    )
    assert.deepEqual(
      pod.containers.map(({ name }) => name),
      ['switchyard'],
    )
    const init = container(pod, 'init')
    assert.deepEqual(init.securityContext, { privileged: true })
    assert.equal(flagsOf(init)['init-only'], true)
  })

  test('both containers are the same program with the same configuration and node name', async () => {
    const pod = await podSpec()
    const [init, agent] = [container(pod, 'init'), container(pod, 'switchyard')]
    assert.equal(init.image, agent.image)
    for (const flags of [flagsOf(init, 'worker-7'), flagsOf(agent, 'worker-7')]) {
      assert.equal(flags.config, '/var/lib/kube-proxy/config.conf')
      assert.equal(flags['hostname-override'], 'worker-7')
    }
  })

  test('the agent sees of the host exactly what it needs', async () => {
    const pod = await podSpec()
    const fromHost = mountsOf(pod, container(pod, 'switchyard')).flatMap(({ mount, volume }) =>
      volume.hostPath === undefined
        ? []
        : [[volume.hostPath.path, mount.mountPath, mount.readOnly === true ? 'read' : 'write', volume.hostPath.type ?? '']],
    )
    assert.deepEqual(fromHost, [
      ['/run/xtables.lock', '/run/xtables.lock', 'write', 'FileOrCreate'],
      ['/run/switchyard', '/run/switchyard', 'write', 'DirectoryOrCreate'],
      ['/lib/modules', '/lib/modules', 'read', ''],
      ['/proc/sys/net', '/host/proc/sys/net', 'write', 'Directory'],
    ])
  })

  test('the flags name folders that are mounted writable', async () => {
    const pod = await podSpec()
    const agent = container(pod, 'switchyard')
    const flags = flagsOf(agent)
    const writable = mountsOf(pod, agent).flatMap(({ mount }) => (mount.readOnly === true ? [] : [mount.mountPath]))
    assert.ok(writable.includes(`${flags['sysctl-root']}/net`), 'sysctls')
    assert.ok(writable.includes(String(flags['state-dir'])), 'state')
    const init = container(pod, 'init')
    const ofInit = mountsOf(pod, init).find(({ mount }) => mount.mountPath === String(flagsOf(init)['state-dir']))
    assert.equal(flagsOf(init)['state-dir'], flags['state-dir'])
    assert.equal(ofInit?.volume.hostPath?.path, '/run/switchyard', 'what the init container changes is put back by cleanup too')
  })

  test('the configuration is a folder of both ConfigMaps, never a single file, so that changes arrive', async () => {
    const pod = await podSpec()
    for (const name of ['init', 'switchyard']) {
      const mounts = mountsOf(pod, container(pod, name))
      assert.deepEqual(
        mounts.filter(({ mount }) => mount.subPath !== undefined || mount.subPathExpr !== undefined),
        [],
      )
      const config = present(
        mounts.find(({ mount }) => mount.mountPath === '/var/lib/kube-proxy'),
        'the configuration',
      )
      assert.equal(config.mount.readOnly, true)
      assert.deepEqual(config.volume.projected?.sources, [
        { configMap: { name: 'kube-proxy' } },
        { configMap: { name: 'switchyard', optional: true } },
      ])
    }
  })

  test('the probes ask the health server for its three answers', async () => {
    const agent = container(await podSpec(), 'switchyard')
    const ports = Object.fromEntries((agent.ports ?? []).map(({ name, containerPort }) => [name, containerPort]))
    assert.deepEqual(ports, { health: healthzPort, metrics: metricsPort })
    const asked = [agent.startupProbe, agent.livenessProbe, agent.readinessProbe].map(probe => probe?.httpGet)
    assert.deepEqual(asked, [
      { path: '/livez', port: 'health' },
      { path: '/livez', port: 'health' },
      { path: '/readyz', port: 'health' },
    ])
  })

  test('the memory limit leaves 400 MB for the tools beside a full heap and Node itself', async () => {
    const agent = container(await podSpec(), 'switchyard')
    const options = agent.env?.find(({ name }) => name === 'NODE_OPTIONS')?.value
    const heap = Number(/^--max-old-space-size=(\d+)$/.exec(options ?? '')?.[1]) * mebi
    const limit = Number(/^(\d+)Gi$/.exec(agent.resources?.limits?.['memory'] ?? '')?.[1]) * 1024 * mebi
    assert.ok(limit - heap - 100 * mebi >= tools, `${limit - heap} bytes beside the heap`)
  })

  test('a rollout replaces pods in place, and never has two on a node', async () => {
    const { updateStrategy } = present((await daemonSet()).spec, 'spec')
    assert.deepEqual(updateStrategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } })
  })

  test('it runs on every Linux node, before and longer than anything else, on the network of the host', async () => {
    const pod = await podSpec()
    const wanted: Partial<V1PodSpec> = {
      hostNetwork: true,
      dnsPolicy: 'Default',
      priorityClassName: 'system-node-critical',
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ operator: 'Exists' }],
    }
    for (const [field, value] of Object.entries(wanted)) assert.deepEqual(Reflect.get(pod, field), value, field)
  })

  test('selects its own pods', async () => {
    const { selector, template } = present((await daemonSet()).spec, 'spec')
    assert.deepEqual(selector.matchLabels, template.metadata?.labels)
  })

  test('is the same in a takeover', async () => {
    assert.deepEqual(await daemonSet('overlays/kubeadm-takeover'), await daemonSet('base'))
  })
})
