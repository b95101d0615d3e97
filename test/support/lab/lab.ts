// A laboratory of network namespaces: nodes with pods, a client outside, real packets between them.
//
//   await using lab = await startLab()
//   await lab.agent('client').ask('connect', { protocol: 'TCP', address: '10.200.1.2', port: 30080, ... })
//
// All that it makes lies inside namespaces of its own, and disposing of it removes all, also when starting it failed half-way.
// Names: `node1`, `node2` (nodes), `a` ... (pods), `client`; see network-plan.ts for addresses. Needs root.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServeOptions } from './agent/protocol.ts'
import { AgentProcess } from './agent-process.ts'
import { bundleAgent } from './agent-program.ts'
import {
  addNamespaces,
  type CommandOptions,
  type CommandResult,
  configure,
  removalScript,
  removeNamespaces,
  runIn,
} from './namespaces.ts'
import {
  addressLines,
  type LabPlan,
  type LabWish,
  linkLines,
  type NodePlan,
  namespacesOf,
  type PodPlan,
  planLab,
} from './network-plan.ts'
import { sysctlScript, sysctlsFor } from './sysctls.ts'

export interface LabOptions extends Partial<LabWish> {
  /** Ports that every pod serves with its name. */
  readonly serve?: Omit<ServeOptions, 'name'>
}

/** What every pod serves unless told otherwise; test/cases/README.md names these ports. */
export const defaultServe: Omit<ServeOptions, 'name'> = { tcp: [8080, 8081], udp: [5353] }

const defaultNodes: LabWish['nodes'] = [
  { name: 'node1', pods: ['a', 'b', 'c'] },
  { name: 'node2', pods: ['d', 'e'] },
]

export class Lab implements AsyncDisposable {
  readonly plan: LabPlan
  /**
   * An empty folder for manifests, configuration and state; removed with the lab. It lies in TMPDIR, which should give inotify
   * notices: hostfs in user-mode Linux gives none, and a change of a manifest would be seen seconds later.
   */
  readonly directory: string
  readonly #agents: ReadonlyMap<string, AgentProcess>
  #kept = false

  constructor({ plan, directory }: { plan: LabPlan; directory: string }) {
    this.plan = plan
    this.directory = directory
    this.#agents = new Map([...this.#inhabitants()].map(([name, namespace]) => [name, new AgentProcess(namespace)]))
  }

  /** Builds the network and starts the agents and servers; about a second. Removes what it made where it fails. */
  async start(serve: Omit<ServeOptions, 'name'> = defaultServe): Promise<void> {
    await addNamespaces(namespacesOf(this.plan))
    try {
      const [program] = await Promise.all([bundleAgent(this.directory), this.#buildNetwork()])
      for (const agent of this.#agents.values()) agent.start(program)
      await Promise.all(this.pods.map(pod => this.agent(pod.name).ask('serve', { ...serve, name: pod.name })))
    } catch (error) {
      await this[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The node that runs the proxy. */
  get node(): NodePlan {
    const [first] = this.plan.nodes
    if (first === undefined) throw new Error('lab: there is no node')
    return first
  }

  get pods(): readonly PodPlan[] {
    return this.plan.nodes.flatMap(node => node.pods)
  }

  pod(name: string): PodPlan {
    const pod = this.pods.find(each => each.name === name)
    if (pod === undefined)
      throw new Error(`lab: there is no pod ${name}; there are ${this.pods.map(each => each.name).join(', ')}`)
    return pod
  }

  /** The agent of a node, a pod or `client`. */
  agent(name: string): AgentProcess {
    const agent = this.#agents.get(name)
    if (agent === undefined) throw new Error(`lab: there is no ${name}; there are ${[...this.#agents.keys()].join(', ')}`)
    return agent
  }

  /** Runs a command in the namespace of a node, a pod or `client`. Throws with its output unless it exits 0. */
  run(name: string, command: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    const namespace = this.#inhabitants().get(name)
    if (namespace === undefined) throw new Error(`lab: there is no ${name} to run ${command[0]} in`)
    return runIn(namespace, command, options)
  }

  /** The shell line that removes a lab that was kept. */
  get removal(): string {
    return `${removalScript(namespacesOf(this.plan))}; rm -r ${this.directory}`
  }

  /** From here on disposing leaves all as it is: namespaces, links, rules and the pods' servers stay when this process has ended. */
  async keep(): Promise<void> {
    this.#kept = true
    await Promise.all([...this.#agents.values()].map(agent => agent.leave()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#kept) return
    await Promise.all([...this.#agents.values()].map(agent => agent.stop()))
    await removeNamespaces(namespacesOf(this.plan))
    await rm(this.directory, { recursive: true, force: true })
  }

  /** Who has an agent: everyone but the switch. */
  #inhabitants(): ReadonlyMap<string, string> {
    return new Map(
      [...this.plan.nodes, ...this.pods, { name: 'client', ...this.plan.client }].map(each => [each.name, each.namespace]),
    )
  }

  async #buildNetwork(): Promise<void> {
    const { network, client, nodes } = this.plan
    const roles = [
      { role: 'network', namespaces: [network] },
      { role: 'node', namespaces: nodes.map(node => node.namespace) },
      { role: 'host', namespaces: [client.namespace, ...this.pods.map(pod => pod.namespace)] },
    ] as const
    // Settings come first: those called `default` count for links that are made later.
    await Promise.all(
      roles.flatMap(({ role, namespaces }) => namespaces.map(name => runIn(name, ['sh', '-c', sysctlScript(sysctlsFor(role))]))),
    )
    await Promise.all(linkLines(this.plan).map(configure))
    await Promise.all(addressLines(this.plan).map(configure))
  }
}

/** Names are unique to this process unless a prefix says otherwise. */
export async function startLab({ prefix = uniquePrefix(), nodes = defaultNodes, serve }: LabOptions = {}): Promise<Lab> {
  const plan = planLab({ prefix, nodes })
  const lab = new Lab({ plan, directory: await mkdtemp(join(tmpdir(), 'switchyard-lab-')) })
  await lab.start(serve)
  return lab
}

let labs = 0

function uniquePrefix(): string {
  return `lab${process.pid}-${++labs}-`
}
