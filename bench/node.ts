// A node of a made-up cluster: a namespace for the proxy, one with a client that is a pod of this node, and one that is all pods.
import { writeFile } from 'node:fs/promises'
import { createExec } from '../src/kernel/exec.ts'
import { createNamespace, type Namespace } from '../test/support/namespace.ts'
import type { ClientQuestion, Reached } from './client.ts'
import { Helper } from './helper.ts'
import { podRange, serviceRange } from './objects.ts'

export interface BenchNode extends AsyncDisposable {
  readonly namespace: Namespace
  readonly client: Helper<ClientQuestion, Reached>
  readonly clientNamespace: Namespace
}

/** The node as its client sees it. */
export const nodeAddress = '10.245.0.1'

export async function createNode(): Promise<BenchNode> {
  await using stack = new AsyncDisposableStack()
  const namespace = stack.use(await createNamespace('node'))
  const clientNamespace = stack.use(await createNamespace('client'))
  const podNamespace = stack.use(await createNamespace('pods'))
  await configure(namespace, [
    'link set lo up',
    `link add client type veth peer name eth0 netns ${clientNamespace.name}`,
    `link add pods type veth peer name eth0 netns ${podNamespace.name}`,
    `address add ${nodeAddress}/24 dev client`,
    'address add 10.200.0.1/30 dev pods',
    'link set client up',
    'link set pods up',
    `route add ${podRange} via 10.200.0.2`,
    // A connection to a service address that is not programmed is refused by the pods, at once, and not lost.
    `route add ${serviceRange} via 10.200.0.2`,
  ])
  await configure(clientNamespace, [
    'link set lo up',
    'address add 10.245.0.2/24 dev eth0',
    'link set eth0 up',
    `route add default via ${nodeAddress}`,
  ])
  await configure(podNamespace, [
    'link set lo up',
    'address add 10.200.0.2/30 dev eth0',
    'link set eth0 up',
    `route add local ${podRange} dev lo`,
    `route add local ${serviceRange} dev lo`,
    'route add default via 10.200.0.1',
  ])
  await setSysctls(namespace)
  const pods = stack.use(new Helper<null, string>(podNamespace, 'pods.ts'))
  const client = stack.use(new Helper<ClientQuestion, Reached>(clientNamespace, 'client.ts'))
  await pods.ask(null)
  const kept = stack.move()
  return { namespace, client, clientNamespace, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

async function configure({ name }: Namespace, lines: readonly string[]): Promise<void> {
  await createExec()({ argv: ['ip', '-n', name, '-batch', '-'], input: lines.map(line => `${line}\n`).join('') })
}

async function setSysctls({ prefix }: Namespace): Promise<void> {
  // The kernel limits how often it says "unreachable" to a peer: a client that asks each millisecond would lose answers.
  const values = { ip_forward: 1, 'conf/all/rp_filter': 0, icmp_ratemask: 0 }
  const script = Object.entries(values)
    .map(([name, value]) => `echo ${value} > /proc/sys/net/ipv4/${name}`)
    .join('; ')
  await createExec({ prefix })({ argv: ['sh', '-c', script] })
}

/** For a command line of the daemon and of its twin. */
export async function writeConfiguration(
  folder: string,
  { kubeconfig, settings }: { readonly kubeconfig: string; readonly settings: Readonly<Record<string, unknown>> },
): Promise<void> {
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clusterCIDR: '10.244.0.0/15',
    conntrack: { maxPerCore: 0 },
    clientConnection: { kubeconfig },
  }
  await writeFile(`${folder}/config.yaml`, JSON.stringify(config))
  const own = { apiVersion: 'switchyard/v1alpha1', kind: 'SwitchyardConfiguration', ...settings }
  await writeFile(`${folder}/switchyard.conf`, JSON.stringify(own))
}
