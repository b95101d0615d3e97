// A node's UDP flows for tests: a few Services as YAML, the cleaner with or without rules, and conntrack's list in short words.
import assert from 'node:assert/strict'
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import type { Address, IpFamily } from '../../src/model/address.ts'
import { nodeFacts } from '../../src/model/node.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import type { Decision } from '../../src/model/traffic-policy.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { type CleanOutcome, type ConntrackCleaner, staleConntrackCleaner } from '../../src/sync/clean-conntrack.ts'
import { type ClusterView, updateDecisions } from '../../src/sync/decisions.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import type { Lab } from './lab/lab.ts'
import { poll } from './lab/poll.ts'
import { clusterOf, decodeAll, loadScenario } from './scenario.ts'

/** All numbers that differ between the families. */
export const places = {
  IPv4: {
    dns: '10.96.0.10',
    external: '192.168.100.53',
    loadBalancer: '203.0.113.10',
    steady: '10.96.0.20',
    late: '10.96.0.30',
    foreign: '198.51.100.9',
    otherHost: '10.200.1.1',
    key: 'ipv4',
  },
  IPv6: {
    dns: 'fd00:10:96::10',
    external: '2001:db8:100::53',
    loadBalancer: '2001:db8:200::10',
    steady: 'fd00:10:96::20',
    late: 'fd00:10:96::30',
    foreign: '2001:db8:300::9',
    otherHost: 'fd00:200:1::1',
    key: 'ipv6',
  },
} as const

export const pods = {
  IPv4: { a: '10.244.1.11', b: '10.244.1.12' },
  IPv6: { a: 'fd00:10:244:1::11', b: 'fd00:10:244:1::12' },
} as const

export type Places = (typeof places)[IpFamily]
type PodName = 'a' | 'b'

/** Endpoints by Service; a Service that is not named does not exist. */
export interface Wish {
  readonly dns?: readonly PodName[]
  readonly steady?: readonly PodName[]
  readonly late?: readonly PodName[]
}

/** Decisions and a cleaner, without rules. */
export class FlowCleaning {
  readonly decisions = new Map<ServiceKey, readonly Decision[]>()
  readonly #family: IpFamily
  readonly #cleaner: ConntrackCleaner
  #view: ClusterView = clusterOf([])

  constructor(family: IpFamily, exec: Exec) {
    this.#family = family
    const cluster = { slices: (key: ServiceKey) => this.#view.slices(key) }
    const now = (): number => performance.now()
    this.#cleaner = staleConntrackCleaner({ exec, family, decisions: this.decisions, cluster, quarantined: new Set(), now })
  }

  clean(yaml: string, interfaceAddresses: readonly Address[] = []): Promise<CleanOutcome> {
    const node = nodeFacts('node1', undefined, interfaceAddresses)
    this.#view = clusterOf(decodeAll(yaml))
    updateDecisions({ decisions: this.decisions, scope: 'everything', cluster: this.#view, family: this.#family, node })
    return this.#cleaner.afterSync({ touched: 'everything', node, settings })
  }
}

const { settings } = loadScenario('clusterip')

/** What a daemon on the lab's node does with a family: rules and flows. */
export class NodeFlows {
  readonly #family: IpFamily
  readonly #exec: Exec
  readonly #addresses: readonly Address[]
  readonly #cleaning: FlowCleaning
  readonly #sync: ReturnType<typeof familySync>
  #view: ClusterView = clusterOf([])
  #yaml = ''

  constructor({ family, exec, addresses }: { family: IpFamily; exec: Exec; addresses: readonly Address[] }) {
    this.#family = family
    this.#exec = exec
    this.#addresses = addresses
    this.#cleaning = new FlowCleaning(family, exec)
    const cluster: ClusterView = {
      service: key => this.#view.service(key),
      slices: key => this.#view.slices(key),
      services: () => this.#view.services(),
    }
    this.#sync = familySync(family, exec, cluster)
  }

  async program(wish: Wish): Promise<void> {
    this.#yaml = objectsFor(wish, this.#family)
    this.#view = clusterOf(decodeAll(this.#yaml))
    this.#sync.markDirty('everything')
    await this.#sync.pass({ node: nodeFacts('node1', undefined, this.#addresses), settings, sweep: true })
  }

  clean(): Promise<CleanOutcome> {
    return this.#cleaning.clean(this.#yaml, this.#addresses)
  }

  /** Every flow that a test made, by its source port: `protocol destination > reply source, zone`. */
  async flows(): Promise<Readonly<Record<string, string>>> {
    const { stdout } = await this.#exec({ argv: ['conntrack', '-L', '-f', places[this.#family].key] })
    const lines = stdout.split('\n').filter(line => / sport=4[12]\d{3} /.test(line))
    const described = lines.map((line): [string, string] => {
      const [, protocol, destination, port = '', replySource] = /^(\w+) .*? dst=(\S+) sport=(\d+) .*? src=(\S+) /.exec(line) ?? []
      return [port, `${protocol} ${destination} > ${replySource}, ${/zone\S*/.exec(line)?.[0] ?? 'no zone'}`]
    })
    assert.equal(new Set(described.map(([port]) => port)).size, described.length, 'one flow a source port')
    return Object.fromEntries(described.sort())
  }

  async flowsOnceThere(ports: readonly number[]): Promise<Readonly<Record<string, string>>> {
    const probe = async () => {
      const found = await this.flows()
      return ports.every(port => found[port] !== undefined) ? found : undefined
    }
    return poll(probe, { what: `flows from the ports ${ports.join(' ')}` })
  }
}

function familySync(family: IpFamily, exec: Exec, cluster: ClusterView) {
  const mode = iptablesMode(family, toolsOf(family, 'nft'))
  return new FamilySync({ mode, exec, cluster, events: createSyncEmitter(), now: () => performance.now() })
}

export function nodeFlows(lab: Lab, family: IpFamily): NodeFlows {
  const { node } = lab
  const addresses = [node.ipv4, node.ipv6, node.bridge.ipv4, node.bridge.ipv6, '127.0.0.1', '::1'] as Address[]
  return new NodeFlows({ family, exec: createExec({ prefix: ['ip', 'netns', 'exec', node.namespace] }), addresses })
}

export function objectsFor({ dns, steady, late }: Wish, family: IpFamily): string {
  const at = places[family]
  const more = `type: LoadBalancer, externalIPs: ["${at.external}"]`
  const status = `status: {loadBalancer: {ingress: [{ip: "${at.loadBalancer}"}]}}`
  return [
    service({ name: 'dns', clusterIP: at.dns, endpoints: dns, family, more, nodePort: 30053, status }),
    service({ name: 'steady', clusterIP: at.steady, endpoints: steady, family }),
    service({ name: 'late', clusterIP: at.late, endpoints: late, family }),
  ]
    .filter(yaml => yaml !== '')
    .join('---\n')
}

interface ServiceWish {
  readonly name: string
  readonly clusterIP: string
  readonly endpoints: readonly PodName[] | undefined
  readonly family: IpFamily
  readonly more?: string
  readonly nodePort?: number
  readonly status?: string
}

function service({
  name,
  clusterIP,
  endpoints,
  family,
  more = 'type: ClusterIP',
  nodePort = 0,
  status = '',
}: ServiceWish): string {
  if (endpoints === undefined) return ''
  const port = nodePort === 0 ? '' : `nodePort: ${nodePort}, `
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {clusterIP: "${clusterIP}", ${more}, ports: [{name: dns, port: 53, ${port}protocol: UDP}]}
${status}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: ${family}
ports: [{name: dns, port: 5353, protocol: UDP}]
endpoints: [${endpoints.map(pod => `{addresses: ["${pods[family][pod]}"]}`).join(', ')}]
`
}
