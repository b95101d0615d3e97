// A cluster and a node that follows it: the API server (a process of its own), the daemon, and on request a twin of the node that is
// fed by hand. Ends with its scope.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend } from '../src/kernel/iptables.ts'
import type { ApiObject } from '../test/support/apiserver/resources.ts'
import { type NamespacedApiServer, startApiServerIn } from '../test/support/lab/api-server.ts'
import { MeasuredDaemon } from './daemon.ts'
import { Helper } from './helper.ts'
import { type BenchNode, createNode, nodeAddress, writeConfiguration } from './node.ts'
import { type BenchService, benchNode, benchServices, type ClusterOptions, objectsOf } from './objects.ts'
import type { Fed, TwinOptions, TwinQuestion } from './twin.ts'

export interface WorldOptions {
  readonly cluster: ClusterOptions
  readonly backend: Backend
  /** Of switchyard.conf. */
  readonly dispatch: string
  /** argv of the daemon without its flags. */
  readonly program: readonly string[]
}

export interface Twin {
  readonly node: BenchNode
  readonly feeder: Helper<TwinQuestion, Fed>
}

export class World implements AsyncDisposable {
  readonly options: WorldOptions
  readonly services: readonly BenchService[]
  readonly node: BenchNode
  readonly server: NamespacedApiServer
  readonly #flags: readonly string[]
  readonly #stack: AsyncDisposableStack

  private constructor(made: {
    readonly options: WorldOptions
    readonly node: BenchNode
    readonly server: NamespacedApiServer
    readonly folder: string
    readonly stack: AsyncDisposableStack
  }) {
    this.options = made.options
    this.services = benchServices(made.options.cluster)
    this.node = made.node
    this.server = made.server
    this.#stack = made.stack
    const { backend } = made.options
    this.#flags = [
      ...['--config', join(made.folder, 'config.yaml'), '--hostname-override', 'node1'],
      ...['--state-dir', join(made.folder, 'state'), '--iptables-backend', backend],
    ]
  }

  /** With all objects in the API server, and no daemon yet. */
  static async create(options: WorldOptions): Promise<World> {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'bench-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    await mkdir(join(folder, 'state'))
    const node = stack.use(await createNode())
    const server = stack.use(await startApiServerIn(node.namespace.name))
    await writeConfiguration(folder, { kubeconfig: server.kubeconfig, settings: { dispatch: options.dispatch } })
    const world = new World({ options, node, server, folder, stack: stack.move() })
    await world.#fill()
    return world
  }

  get probes(): readonly BenchService[] {
    const { services, probes } = this.options.cluster
    return this.services.slice(services, services + probes)
  }

  get sized(): readonly BenchService[] {
    return this.services.slice(0, this.options.cluster.services)
  }

  startDaemon(): MeasuredDaemon {
    return this.#stack.use(new MeasuredDaemon(this.node.namespace, this.options.program, this.#flags))
  }

  /** When /readyz first said yes, by `clock`. */
  async readyAt(): Promise<number> {
    const { at } = await this.node.client.ask({ do: 'get', url: `http://${nodeAddress}:10256/readyz` })
    return at
  }

  /** Nothing is programmed there yet. */
  async createTwin(): Promise<Twin> {
    const node = this.#stack.use(await createNode())
    const { cluster, backend } = this.options
    const options: TwinOptions = { cluster, backend, flags: this.#flags }
    return { node, feeder: this.#stack.use(new Helper(node.namespace, 'twin.ts', options)) }
  }

  async put(...objects: readonly ApiObject[]): Promise<void> {
    await this.server.ask({ do: 'put', objects })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  async #fill(): Promise<void> {
    const objects = [benchNode, ...this.services.flatMap(objectsOf)]
    for (let start = 0; start < objects.length; start += 500) await this.put(...objects.slice(start, start + 500))
  }
}
