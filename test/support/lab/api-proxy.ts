// The proxy running in a lab, with the objects coming from an API server on the proxy's node: over TLS, with a bearer token.
// Objects change one by one, each as an event of its own; deletions are events, too.
//
//   await using proxy = await startApiProxy({ lab, objects: nodes })
//   await proxy.program(objects)
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parseAllDocuments, stringify } from 'yaml'
import type { ApiObject } from '../apiserver/index.ts'
import { type NamespacedApiServer, startApiServerIn } from './api-server.ts'
import { Daemon } from './daemon.ts'
import { readinessIn } from './http-get.ts'
import type { Lab } from './lab.ts'
import { baseConfig, firstMarkerPort, markerAddress, markerObjects, type ProxyOptions } from './proxy.ts'

export interface ApiProxyOptions extends ProxyOptions {
  /** What the cluster has before the proxy starts: at least its own Node, as a real one. */
  readonly objects: readonly ApiObject[]
}

export class ApiProxy implements AsyncDisposable {
  readonly daemon: Daemon
  readonly server: NamespacedApiServer
  readonly #lab: Lab
  #objects: ReadonlyMap<string, ApiObject>
  #marker = 0

  constructor(options: { lab: Lab; daemon: Daemon; server: NamespacedApiServer; objects: readonly ApiObject[] }) {
    this.#lab = options.lab
    this.daemon = options.daemon
    this.server = options.server
    this.#objects = byKey(options.objects)
  }

  /** Makes the cluster hold these objects and no others, and waits until that is what the node does with packets. */
  async program(objects: readonly ApiObject[] | string): Promise<void> {
    await this.write(objects)
    await this.settle()
  }

  /** The same, and waits for nothing. Only what differs from before is sent: first what is new or changed, then what is gone. */
  async write(objects: readonly ApiObject[] | string): Promise<void> {
    const before = this.#objects
    const after = byKey(typeof objects === 'string' ? parseObjects(objects) : objects)
    this.#objects = after
    const changed = [...after].filter(([key, object]) => !isDeepStrictEqual(before.get(key), object))
    const gone = [...before].filter(([key]) => !after.has(key))
    await this.server.ask({ do: 'put', objects: changed.map(([, object]) => object) })
    await this.server.ask({ do: 'remove', objects: gone.map(([, object]) => object) })
  }

  /**
   * Waits until what was written so far is programmed. The Service lab/marker and its slices are changed after everything
   * else, and each resource's watch keeps the order: when an answer has both the Service's new port and the slices' new target
   * port, both watches have come this far. Twice, since the pass that programmed the first change need not be over.
   */
  async settle(): Promise<void> {
    await this.#moveMarker()
    await this.#moveMarker()
  }

  /** Stops the daemon by SIGTERM, the rules stay; and the API server. Gives what the daemon ended with. */
  async stop(): Promise<string> {
    const ended = await this.daemon.stop()
    await this.server.close()
    return ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
    await this.server.close()
  }

  async #moveMarker(): Promise<void> {
    const number = ++this.#marker
    await this.server.ask({ do: 'put', objects: markerObjects({ ...markerPorts(number), lab: this.#lab }) })
    for (const address of Object.values(markerAddress)) await this.#seeMarker(number, address)
  }

  async #seeMarker(number: number, address: string): Promise<void> {
    const { port, targetPort } = markerPorts(number)
    const agent = this.#lab.agent(this.#lab.node.name)
    // An address that nobody serves yet may be met by silence, so attempts are short at first; on a slow machine they grow.
    let timeoutMs = 25
    const ask = async (): Promise<true | undefined> => {
      timeoutMs = Math.min(2000, timeoutMs * 1.5)
      const [outcome] = await agent.ask('connect', { protocol: 'TCP', address, port, timeoutMs, count: 1, parallel: 1 })
      return outcome?.ok && outcome.port === targetPort ? true : undefined
    }
    const what = `the Service lab/marker to lead from ${address} port ${port} to port ${targetPort}`
    await this.daemon.waitFor(ask, { what, deadlineMs: 90_000 })
  }
}

/** Starts an API server and the daemon on the lab's first node, and waits until it is ready. */
export async function startApiProxy({ lab, objects, config = {}, arguments: extra = [] }: ApiProxyOptions): Promise<ApiProxy> {
  const directory = await mkdtemp(join(lab.directory, 'api-proxy-'))
  const server = await startApiServerIn(lab.node.namespace, { tokens: ['token-of-node1'], bookmarkEveryMs: 2000, objects })
  const configFile = join(directory, 'config.yaml')
  const clientConnection = { kubeconfig: server.kubeconfig }
  await writeFile(configFile, stringify({ ...baseConfig, ...config, clientConnection }))
  const own = ['run', '--config', configFile, '--hostname-override', lab.node.name, '--state-dir', join(lab.directory, 'state')]
  const daemon = new Daemon({ namespace: lab.node.namespace, arguments: [...own, ...extra] })
  daemon.start()
  const proxy = new ApiProxy({ lab, daemon, server, objects })
  try {
    // The marker says nothing of the watch of the Node: readiness does.
    const isReady = async () => ((await readinessIn(lab.node.namespace))?.ready ? true : undefined)
    await daemon.waitFor(isReady, { what: '/readyz to say ready', deadlineMs: 90_000, everyMs: 100 })
  } catch (error) {
    await proxy[Symbol.asyncDispose]()
    throw error
  }
  return proxy
}

/** The documents of a YAML text; empty ones are none. Whether they are sound objects is for the server to say. */
export function parseObjects(text: string): readonly ApiObject[] {
  const documents = parseAllDocuments(text).map(document => document.toJS({ maxAliasCount: -1 }) as ApiObject | null)
  return documents.filter(document => document !== null)
}

function byKey(objects: readonly ApiObject[]): ReadonlyMap<string, ApiObject> {
  return new Map(
    objects.map(object => [`${object.kind} ${object.metadata.namespace ?? 'default'}/${object.metadata.name}`, object]),
  )
}

/** Two ports that every pod serves, in turn: one alone would look the same before and after. */
function markerPorts(number: number): { readonly port: number; readonly targetPort: number } {
  return { port: firstMarkerPort + number, targetPort: 8080 + (number % 2) }
}
