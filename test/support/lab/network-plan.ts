// What a lab looks like, as data: which namespaces there are, how they are linked and addressed.
// Takes the wish (nodes with their pods, a prefix for names), gives the addresses and the `ip -batch` lines of each namespace.
// Pure: nothing is run here. Addresses are those of test/golden (node1 is 10.200.1.2, its pods 10.244.1.11 and up), so that
// golden rules fit into a lab as they stand.
//
//   client ──┐                        ┌── pod (10.244.1.11, fd00:10:244:1::11)
//            ├── network ── node1 ── cni0 ── pod
//   node2 ───┘   (a switch and the default gateway, which knows no service address)

export interface AddressPair {
  readonly ipv4: string
  readonly ipv6: string
}

export interface PodPlan extends AddressPair {
  readonly name: string
  readonly node: string
  readonly namespace: string
}

export interface NodePlan extends AddressPair {
  readonly name: string
  readonly namespace: string
  /** The bridge cni0's own addresses: where masqueraded traffic to pods of this node comes from. */
  readonly bridge: AddressPair
  readonly pods: readonly PodPlan[]
  /** Third part of the pod network: 10.244.<index>.0/24. */
  readonly index: number
}

export interface LabPlan {
  readonly nodes: readonly NodePlan[]
  readonly client: AddressPair & { readonly namespace: string }
  /** The namespace of the switch and gateway. */
  readonly network: string
}

export interface LabWish {
  /** Stands before every namespace's name; names of namespaces are global to a machine. */
  readonly prefix: string
  /** Nodes and the names of their pods; the first node is the one that runs the proxy. */
  readonly nodes: readonly { readonly name: string; readonly pods: readonly string[] }[]
}

/** Batch lines for `ip -n NAMESPACE -batch -`. */
export interface NamespaceLines {
  readonly namespace: string
  readonly lines: readonly string[]
}

const gateway: AddressPair = { ipv4: '10.200.1.1', ipv6: 'fd00:200:1::1' }

/** How many addresses the client has on the node's network: 10.200.1.100 and up. Each is a client of its own for session affinity. */
export const clientAddressCount = 16

/** The client's address outside of every network that the node is attached to. */
export const farClient: AddressPair = { ipv4: '203.0.113.50', ipv6: '2001:db8:ffff::50' }

/** Where the addresses of Services may lie, cluster IPs first: the client sends these networks to the first node. */
export const serviceNetworks: readonly string[] = [
  '10.96.0.0/12',
  'fd00:10:96::/64',
  '192.168.100.0/24',
  '203.0.113.0/24',
  '198.51.100.0/24',
  '2001:db8::/32',
]

/** Link names end at 15 characters (IFNAMSIZ), and a pod's link is called `veth-<pod>`. */
const longestPodName = 10

export function planLab({ prefix, nodes }: LabWish): LabPlan {
  const names = nodes.flatMap(node => [node.name, ...node.pods])
  const double = names.find((name, position) => names.indexOf(name) !== position || name === 'client' || name === 'network')
  if (double !== undefined) throw new Error(`lab: two things would be called ${double}; give each node and pod a name of its own`)
  return {
    nodes: nodes.map((node, position) => planNode(prefix, node, position + 1)),
    client: { ...clientAddress(0), namespace: `${prefix}client` },
    network: `${prefix}network`,
  }
}

/** The client's address number `position`, 0 to clientAddressCount - 1. */
export function clientAddress(position: number): AddressPair {
  return { ipv4: `10.200.1.${100 + position}`, ipv6: `fd00:200:1::${100 + position}` }
}

export function namespacesOf(plan: LabPlan): readonly string[] {
  return [plan.network, plan.client.namespace, ...plan.nodes.flatMap(node => [node.namespace, ...podNamespaces(node)])]
}

/** The bridges and virtual cables. Each is made inside the lab's namespaces, so the machine's own network never sees one. */
export function linkLines(plan: LabPlan): readonly NamespaceLines[] {
  const attached = [plan.client.namespace, ...plan.nodes.map(node => node.namespace)]
  const network = attached.flatMap((namespace, position) => cable({ link: `port${position}`, namespace, bridge: 'br0' }))
  const pods = plan.nodes.map(({ namespace, pods }) => ({
    namespace,
    lines: [
      ...bridge('cni0'),
      ...pods.flatMap(pod => cable({ link: `veth-${pod.name}`, namespace: pod.namespace, bridge: 'cni0' })),
    ],
  }))
  return [{ namespace: plan.network, lines: [...bridge('br0'), ...network] }, ...pods]
}

/** Addresses and routes, to be set once every link stands. */
export function addressLines(plan: LabPlan): readonly NamespaceLines[] {
  return [
    { namespace: plan.network, lines: networkLines(plan) },
    { namespace: plan.client.namespace, lines: clientLines(plan) },
    ...plan.nodes.flatMap(node => [
      { namespace: node.namespace, lines: nodeLines(plan, node) },
      ...node.pods.map(pod => podLines(node, pod)),
    ]),
  ]
}

function planNode(prefix: string, { name, pods }: LabWish['nodes'][number], index: number): NodePlan {
  const tooLong = pods.find(pod => pod.length > longestPodName)
  if (tooLong !== undefined) throw new Error(`lab: pod name ${tooLong} is longer than ${longestPodName} characters`)
  return {
    name,
    index,
    namespace: prefix + name,
    ipv4: `10.200.1.${index + 1}`,
    ipv6: `fd00:200:1::${index + 1}`,
    bridge: { ipv4: `10.244.${index}.1`, ipv6: `fd00:10:244:${index}::1` },
    pods: pods.map((pod, position) => ({
      name: pod,
      node: name,
      namespace: prefix + pod,
      ipv4: `10.244.${index}.${10 * index + position + 1}`,
      ipv6: `fd00:10:244:${index}::${10 * index + position + 1}`,
    })),
  }
}

function podNamespaces(node: NodePlan): readonly string[] {
  return node.pods.map(pod => pod.namespace)
}

function bridge(name: string): readonly string[] {
  return [`link add ${name} type bridge`, `link set ${name} up`]
}

/** Hairpin: a pod may be sent back what it sent, as it reaches itself through its Service. */
function cable({ link, namespace, bridge }: { link: string; namespace: string; bridge: string }): readonly string[] {
  return [
    `link add ${link} type veth peer name eth0 netns ${namespace}`,
    `link set ${link} master ${bridge}`,
    `link set ${link} type bridge_slave hairpin on`,
    `link set ${link} up`,
  ]
}

/** nodad: an IPv6 address is usable at once. */
function address(link: string, { ipv4, ipv6 }: AddressPair, length: 24 | 32): readonly string[] {
  const length6 = length === 24 ? 64 : 128
  return [`addr add ${ipv4}/${length} dev ${link}`, `addr add ${ipv6}/${length6} dev ${link} nodad`]
}

function up(): readonly string[] {
  return ['link set lo up', 'link set eth0 up']
}

function defaultRoute(via: AddressPair): readonly string[] {
  return [`route add default via ${via.ipv4}`, `route add default via ${via.ipv6}`]
}

function podRoutes(node: NodePlan): readonly string[] {
  return [`route add 10.244.${node.index}.0/24 via ${node.ipv4}`, `route add fd00:10:244:${node.index}::/64 via ${node.ipv6}`]
}

function farClientRoutes({ client }: LabPlan): readonly string[] {
  return [`route add ${farClient.ipv4}/32 via ${client.ipv4}`, `route add ${farClient.ipv6}/128 via ${client.ipv6}`]
}

function clientLines({ nodes: [first] }: LabPlan): readonly string[] {
  const own = Array.from({ length: clientAddressCount }, (_, position) => address('eth0', clientAddress(position), 24)).flat()
  const services =
    first === undefined
      ? []
      : serviceNetworks.map(network => `route add ${network} via ${network.includes(':') ? first.ipv6 : first.ipv4}`)
  return [...up(), ...own, ...address('eth0', farClient, 32), ...services, ...defaultRoute(gateway)]
}

function networkLines(plan: LabPlan): readonly string[] {
  return [...address('br0', gateway, 24), ...plan.nodes.flatMap(podRoutes), ...farClientRoutes(plan)]
}

function nodeLines(plan: LabPlan, node: NodePlan): readonly string[] {
  return [
    ...up(),
    ...address('eth0', node, 24),
    ...address('cni0', node.bridge, 24),
    ...plan.nodes.filter(other => other !== node).flatMap(podRoutes),
    ...farClientRoutes(plan),
    ...defaultRoute(gateway),
  ]
}

function podLines(node: NodePlan, pod: PodPlan): NamespaceLines {
  return { namespace: pod.namespace, lines: [...up(), ...address('eth0', pod, 24), ...defaultRoute(node.bridge)] }
}
