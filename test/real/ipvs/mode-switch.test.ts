// `mode` changes in the running daemon's configuration, there and back: no new connection fails, connections that are open go on, and in the end nothing is
// left of the mode that gave way.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createExec, type Exec } from '../../../src/kernel/exec.ts'
import { readCaseFile } from '../../support/flows/cases.ts'
import { describeLoad, startLoad } from '../../support/flows/load.ts'
import { type Lab, startLab } from '../../support/lab/lab.ts'
import { type RunningProxy, startProxy } from '../../support/lab/proxy.ts'

type Mode = 'iptables' | 'ipvs'

/** Of the case node-port: a cluster IP and a node port with three endpoints. */
const clusterIP = '10.96.3.1'
const nodePort = { address: '10.200.1.2', port: 30031 }

/** Long enough for what is asked before it, in user-mode Linux too. */
const deadline = { drain: { modeChangeDeadline: '45s' } }

describe('a change of modes in the running daemon', () => {
  let lab: Lab
  let proxy: RunningProxy
  let exec: Exec

  before(async () => {
    lab = await startLab()
    exec = createExec({ prefix: ['nsenter', `--net=/run/netns/${lab.node.namespace}`] })
    proxy = await startProxy({ lab, config: { mode: 'iptables', iptables: { syncPeriod: '1s' } }, settings: deadline })
    const objects = `${readCaseFile('.', 'cluster.yaml')}\n---\n${readCaseFile('node-port', 'objects.yaml')}`
    await proxy.program(objects)
  })
  after(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await lab?.[Symbol.asyncDispose]()
  })

  const switchTo = async (mode: Mode): Promise<void> => {
    const since = proxy.daemon.log.length
    await proxy.configure({ mode, iptables: { syncPeriod: '1s' }, ipvs: { syncPeriod: '1s' } })
    const isDone = ({ msg }: { readonly msg: string }): boolean => msg.includes(`gives way to mode ${mode}`)
    await proxy.daemon.waitForLog(isDone, { what: `the change to ${mode}`, deadlineMs: 30_000, since })
    await proxy.settle()
  }
  const read = async (...argv: readonly string[]): Promise<string> => (await exec({ argv })).stdout
  const eventually = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
    await proxy.daemon.waitFor(async () => (await isSo()) || undefined, { what, deadlineMs: 60_000 })
  }

  it('fails no connection and cuts none, there and back, and leaves nothing behind', async t => {
    const pod = lab.agent('c')
    const client = lab.agent('client')
    const loads = await Promise.all([
      startLoad(lab, { from: 'c', address: clusterIP, port: 80, perSecond: 100 }),
      startLoad(lab, { from: 'client', ...nodePort, perSecond: 100 }),
    ])
    const heldBefore = await pod.ask('hold', { protocol: 'TCP', address: clusterIP, port: 80, timeoutMs: 15_000 })

    await switchTo('ipvs')
    assert.match(await read('ipvsadm', '-Sn'), new RegExp(`-A -t ${clusterIP}:80 `))
    await eventually('the chains of iptables mode to go', async () => !(await read('iptables-save')).includes('KUBE-SVC-'))
    const heldInside = await pod.ask('hold', { protocol: 'TCP', address: clusterIP, port: 80, timeoutMs: 15_000 })
    const heldOutside = await client.ask('hold', { protocol: 'TCP', ...nodePort, timeoutMs: 15_000 })
    assert.ok((await pod.ask('pingHeld', { held: heldBefore, timeoutMs: 15_000 })).ok, 'a connection of iptables mode goes on')

    await switchTo('iptables')
    const reached = await loads[0].attempts()
    await loads[0].reach(reached + 100)
    for (const [agent, held] of [
      [pod, heldBefore],
      [pod, heldInside],
      [client, heldOutside],
    ] as const) {
      assert.ok((await agent.ask('pingHeld', { held, timeoutMs: 15_000 })).ok, 'an open connection goes on')
    }
    await eventually('all virtual servers to drain', async () => !(await read('ipvsadm', '-Sn')).includes('-w 1'))
    assert.match(await read('ipvsadm', '-Sn'), /-w 0/)
    for (const load of loads) {
      const { name, report } = await load.stop()
      t.diagnostic(describeLoad(name, report))
      assert.deepEqual(report.failures.slice(0, 5), [], name)
      assert.ok(report.attempts > 200)
    }

    // What closed is TIME_WAIT to IPVS for two minutes, so it is the deadline that ends the drain. A connection that is
    // open then is cut, unless the other mode's rules happen to lead its next packet to the same pod.
    await eventually('kube-ipvs0 to go', async () => (await read('ip', '-o', 'link', 'show', 'type', 'dummy')) === '')
    await eventually(
      'virtual servers and sets to go',
      async () => (await read('ipvsadm', '-Sn')) + (await read('ipset', 'save')) === '',
    )
    assert.ok((await pod.ask('pingHeld', { held: heldBefore, timeoutMs: 15_000 })).ok, 'one of iptables mode has no deadline')
    assert.doesNotMatch(await read('iptables-save'), /IPVS|KUBE-NODE-PORT |KUBE-LOAD-BALANCER/)
  })
})
