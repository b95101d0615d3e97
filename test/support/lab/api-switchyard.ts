// A daemon under test that follows an API server, both in an otherwise empty namespace: no packets, only rules.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ApiObject } from '../apiserver/index.ts'
import type { TestNode } from '../daemon/node.ts'
import { Switchyard } from '../daemon/switchyard.ts'
import type { NamespacedApiServer } from './api-server.ts'
import { Daemon } from './daemon.ts'
import { type Readiness, readinessIn } from './http-get.ts'
import { baseConfig } from './proxy.ts'

/** The daemon's own Node, without which no cluster is. */
export const ownNode: ApiObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node1', labels: { 'kubernetes.io/hostname': 'node1' } },
  spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] },
  status: { addresses: [{ type: 'InternalIP', address: '10.200.1.2' }] },
}

/** With the configuration of every lab and the nf_tables backend. */
export async function followApiServer(
  node: TestNode,
  { kubeconfig }: Pick<NamespacedApiServer, 'kubeconfig'>,
): Promise<Switchyard> {
  const configFile = join(node.directory, 'config.yaml')
  await writeFile(configFile, stringify({ ...baseConfig, clientConnection: { kubeconfig } }))
  const flags = ['run', '--config', configFile, '--hostname-override', 'node1', '--iptables-backend', 'nft']
  return startWith(node, [...flags, '--state-dir', join(node.directory, 'state')])
}

/** With exactly this command line. */
export function startWith(node: TestNode, commandLine: readonly string[]): Switchyard {
  const daemon = new Daemon({ namespace: node.namespace, arguments: commandLine })
  daemon.start()
  return new Switchyard({ daemon, node })
}

/** Asks /readyz until the answer is as the test wants it, and gives it. */
export function waitForReadiness(options: {
  readonly node: TestNode
  readonly switchyard: Switchyard
  readonly holds: (readiness: Readiness) => boolean
  readonly what: string
}): Promise<Readiness> {
  const { node, switchyard, holds, what } = options
  let last: Readiness | undefined
  const probe = async (): Promise<Readiness | undefined> => {
    last = await readinessIn(node.namespace)
    return last !== undefined && holds(last) ? last : undefined
  }
  return switchyard.waitFor(probe, `/readyz to say ${what}`).catch((error: unknown) => {
    throw new Error(`the last answer of /readyz was ${JSON.stringify(last)}`, { cause: error })
  })
}
