// A lab whose one node runs the daemon in ipvs mode, with a client of many addresses outside: for tests of what happens to connections.
//
//   await using stage = await startIpvsLab({ settings: { drain: { deadline: '3s' } } })
//   const { place } = await startService(stage, { number: 1, pods: 'a b' })
//   const held = await stage.hold(place)
import type { Status } from '../../src/server/status-object.ts'
import { eventually } from './daemon/eventually.ts'
import { nodeIn, type TestNode } from './daemon/node.ts'
import type { Manifest } from './daemon/objects.ts'
import { type Switchyard, startSwitchyard } from './daemon/switchyard.ts'
import { type IpvsKernel, ipvsKernelOf, type Weights } from './ipvs-kernel.ts'
import type { Outcome, TransportProtocol } from './lab/agent/protocol.ts'
import { getIn } from './lab/http-get.ts'
import { type Lab, startLab } from './lab/lab.ts'
import { clientAddress, clientAddressCount } from './lab/network-plan.ts'

export interface Files {
  readonly config?: Manifest
  readonly settings?: Manifest
}

export interface Place {
  readonly address: string
  readonly port: number
}

/** A connection of the client's that stays open. */
export interface HeldConnection {
  /** Who is at its other end. */
  readonly pod: string
  /** Whether its other end answers still. */
  isAlive(): Promise<boolean>
  /** Whether it does not: to be asked when the kernel is known to have cut it, since silence for a moment counts. */
  isDead(): Promise<boolean>
  /** Ends it so that the kernel forgets it within seconds. */
  reset(): Promise<void>
}

/** Nothing that works takes so long; what fails is refused at once. */
const timeoutMs = 15_000

const ipvsConfig = { mode: 'ipvs' } as const

export class IpvsLab implements AsyncDisposable {
  readonly lab: Lab
  readonly node: TestNode
  readonly kernel: IpvsKernel
  #switchyard: Switchyard

  constructor(lab: Lab, node: TestNode, switchyard: Switchyard) {
    this.lab = lab
    this.node = node
    this.kernel = ipvsKernelOf(node.namespace)
    this.#switchyard = switchyard
  }

  get switchyard(): Switchyard {
    return this.#switchyard
  }

  /** Ends the daemon and starts another one in its place. */
  async restart({ config = {}, settings = {} }: Files): Promise<void> {
    await this.#switchyard.stop()
    this.#switchyard = await startSwitchyard({ node: this.node, config: { ...ipvsConfig, ...config }, settings })
    await this.#switchyard.waitForSync()
  }

  /** Live, by the files that the daemon watches. */
  async configure({ config = {}, settings = {} }: Files): Promise<void> {
    await this.#switchyard.configure({ config: { ...ipvsConfig, ...config }, settings })
  }

  address(pod: string): string {
    return this.lab.pod(pod).ipv4
  }

  /** Pod → weight as the kernel has it: `{ '10.244.1.11:8080': 1 }`. */
  realServers(weights: Readonly<Record<string, number>>): Weights {
    return Object.fromEntries(Object.entries(weights).map(([pod, weight]) => [`${this.address(pod)}:8080`, weight]))
  }

  /** Polls until what is read is as wanted. */
  eventually<T>(read: () => Promise<T>, wanted: T, what: string): Promise<void> {
    return eventually(this.#switchyard.daemon, { read, wanted, what })
  }

  /** Opens a connection and keeps it. */
  async hold({ address, port }: Place): Promise<HeldConnection> {
    const client = this.lab.agent('client')
    const held = await client.ask('hold', { protocol: 'TCP', address, port, timeoutMs })
    const ping = (patienceMs: number): Promise<Outcome> => client.ask('pingHeld', { held, timeoutMs: patienceMs })
    const first = await ping(timeoutMs)
    if (!first.ok) throw new Error(`${address}:${port}: ${first.reason} (${first.detail})`)
    return {
      pod: first.name,
      isAlive: async () => (await ping(timeoutMs)).ok,
      isDead: async () => !(await ping(2000)).ok,
      reset: async () => void (await client.ask('reset', held)),
    }
  }

  /** One connection to each of the pods that stand behind an address, by the pod's name. */
  async holdEach(place: Place, pods: readonly string[]): Promise<Readonly<Record<string, HeldConnection>>> {
    const held: Record<string, HeldConnection> = {}
    // Enough for every scheduler that does not stick to one.
    for (let tries = 0; tries < 5 * pods.length && Object.keys(held).length < pods.length; tries++) {
      const one = await this.hold(place)
      if (held[one.pod] === undefined) held[one.pod] = one
      else await one.reset()
    }
    return held
  }

  /** New connections, one after the other: who answered each, or why nobody did. */
  async connect(
    { address, port }: Place,
    options: { readonly count?: number; readonly from?: string; readonly protocol?: TransportProtocol } = {},
  ): Promise<readonly string[]> {
    const { count = 1, protocol = 'TCP', from } = options
    const wish = { protocol, address, port, from, timeoutMs, count, parallel: 1 }
    return (await this.lab.agent('client').ask('connect', wish)).map(fate)
  }

  /** A new connection from each of the client's addresses: what became of each, by address. */
  async connectFromEverywhere(place: Place): Promise<ReadonlyMap<string, string>> {
    const addresses = Array.from({ length: clientAddressCount }, (_, position) => clientAddress(position).ipv4)
    const fates = await Promise.all(addresses.map(from => this.connect(place, { from })))
    return new Map(addresses.map((address, position) => [address, fates[position]?.[0] ?? '']))
  }

  async status(): Promise<Status> {
    const answer = await getIn(this.node.namespace, 'http://127.0.0.1:10249/switchyard/v1/status')
    if (answer === undefined) throw new Error('nobody answers on the metrics port')
    return JSON.parse(answer.body) as Status
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#switchyard[Symbol.asyncDispose]()
    await this.lab[Symbol.asyncDispose]()
  }
}

function fate(outcome: Outcome): string {
  return outcome.ok ? outcome.name : outcome.reason
}

/** All pods are on node1. */
export async function startIpvsLab(options: Files & { readonly pods?: readonly string[] } = {}): Promise<IpvsLab> {
  const { config = {}, settings = {}, pods = ['a', 'b', 'c'] } = options
  const lab = await startLab({ nodes: [{ name: 'node1', pods }] })
  const node = nodeIn({ namespace: lab.node.namespace, directory: lab.directory })
  const switchyard = await startSwitchyard({ node, config: { ...ipvsConfig, ...config }, settings })
  const stage = new IpvsLab(lab, node, switchyard)
  try {
    await switchyard.waitForSync()
    await switchyard.waitForSync({ family: 'IPv6' })
  } catch (error) {
    await stage[Symbol.asyncDispose]()
    throw error
  }
  return stage
}
