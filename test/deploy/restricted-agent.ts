// The agent as the DaemonSet runs it, on a node of a test: what stands for the host lies in the node's folder, the ConfigMaps of
// deploy/base with the places filled in that say EDIT, and, where the test wants one, an API server on the node itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ApiObject } from '../support/apiserver/index.ts'
import type { TestNode } from '../support/daemon/node.ts'
import { Container, type ContainerOptions } from './container.ts'
import { podSpec } from './daemon-set.ts'
import { buildOne } from './kustomize.ts'

const placeholder = 'https://control-plane-endpoint.invalid:6443'

export interface AgentOptions extends Partial<ContainerOptions> {
  readonly node: TestNode
  readonly image: ContainerOptions['image']
  /** What an operator writes over the placeholder in kubeconfig.conf. */
  readonly server?: string
  /** The pod's service account: a folder with ca.crt and token. */
  readonly serviceAccount?: string
  readonly clusterCidr?: string
}

/** What stands on this machine for the host's /run/xtables.lock. */
export function lockOf(node: TestNode): string {
  return join(node.directory, 'host/run/xtables.lock')
}

export async function startAgent(options: AgentOptions): Promise<Container> {
  const { node, serviceAccount, extraMounts = [], ...others } = options
  const [state, modules] = [join(node.directory, 'host/run/switchyard'), join(node.directory, 'host/lib/modules')]
  for (const folder of [state, modules]) await mkdir(folder, { recursive: true })
  await writeFile(lockOf(node), '', { mode: 0o600 })
  const secrets = '/var/run/secrets/kubernetes.io/serviceaccount'
  return Container.start({
    pod: await podSpec(),
    name: 'switchyard',
    namespace: node.namespace,
    nodeName: 'node1',
    ...others,
    extraMounts: [...extraMounts, ...(serviceAccount === undefined ? [] : [[serviceAccount, secrets] as const])],
    volumes: { config: await projectConfig(options), state, modules, 'xtables-lock': lockOf(node) },
  })
}

/** The folder that the projected volume makes of both ConfigMaps. */
async function projectConfig({ node, server = placeholder, clusterCidr = '' }: AgentOptions): Promise<string> {
  const folder = join(node.directory, 'config')
  await mkdir(folder, { recursive: true })
  const maps = await Promise.all(['kube-proxy', 'switchyard'].map(name => buildOne('base', 'ConfigMap', name)))
  for (const [name, text] of maps.flatMap(({ data }) => Object.entries(Object(data)))) {
    const edited = String(text).replace(placeholder, server).replace('clusterCIDR: ""', `clusterCIDR: "${clusterCidr}"`)
    await writeFile(join(folder, name), edited)
  }
  return folder
}

export interface NodeApiServer extends AsyncDisposable {
  readonly url: string
  /** Has ca.crt and token, as a pod's service account. */
  readonly folder: string
}

/** The test API server, listening inside the node's network namespace. */
export async function startApiServerOn(node: TestNode, objects: readonly ApiObject[]): Promise<NodeApiServer> {
  const main = join(import.meta.dirname, '../support/apiserver/main.ts')
  const options = JSON.stringify({ objects, tokens: ['a-token'] })
  const child = spawn('ip', ['netns', 'exec', node.namespace, process.execPath, main, options], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(30_000) })
  const { url, folder }: { url: string; folder: string } = JSON.parse(line)
  return {
    url,
    folder,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'close')
      child.stdin.end()
      await ended
    },
  }
}
