// The proxy running in a lab: configuration, a folder of manifests, and the certainty that what was written there is programmed.
//
//   await using proxy = await startProxy({ lab, arguments: ['--iptables-backend', 'nft'] })
//   await proxy.program(objects)
import { mkdir, mkdtemp, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import type { ApiObject } from '../apiserver/resources.ts'
import type { Outcome } from './agent/protocol.ts'
import { Daemon } from './daemon.ts'
import type { Lab } from './lab.ts'

export interface ProxyOptions {
  readonly lab: Lab
  /** Fields of KubeProxyConfiguration beside the lab's own. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Fields of SwitchyardConfiguration, which stands beside the other file. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Further command line: `['--iptables-backend', 'legacy']`. */
  readonly arguments?: readonly string[]
  /** False: all is prepared, and `daemon.start()` is the caller's to call. */
  readonly starts?: boolean
}

/** What every lab's proxy is told: the base configuration of test/golden. */
export const baseConfig = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clusterCIDR: '10.244.0.0/16,fd00:10:244::/56',
  conntrack: { maxPerCore: 0 },
} as const

const baseSettings = { apiVersion: 'switchyard/v1alpha1', kind: 'SwitchyardConfiguration' } as const

export class RunningProxy implements AsyncDisposable {
  readonly daemon: Daemon
  readonly manifests: string
  /** The daemon's, for commands that take the same. */
  readonly flags: readonly string[]
  readonly #configFile: string
  readonly #lab: Lab
  #objects = ''
  #marker = 0

  constructor(parts: { lab: Lab; daemon: Daemon; flags: readonly string[]; paths: { manifests: string; config: string } }) {
    const { lab, daemon, flags, paths } = parts
    this.#lab = lab
    this.daemon = daemon
    this.flags = flags
    this.manifests = paths.manifests
    this.#configFile = paths.config
  }

  /** Fields of KubeProxyConfiguration beside the lab's own, for the running daemon; waits for nothing. */
  async configure(config: Readonly<Record<string, unknown>>): Promise<void> {
    await writeManifest(this.#configFile, stringify({ ...baseConfig, ...config }))
  }

  /** The same of SwitchyardConfiguration. */
  async configureOwn(settings: Readonly<Record<string, unknown>>): Promise<void> {
    await writeManifest(join(dirname(this.#configFile), 'switchyard.conf'), stringify({ ...baseSettings, ...settings }))
  }

  /** Replaces the cluster's objects (YAML documents), and waits until they are what the node does with packets, in both families. */
  async program(objects: string): Promise<void> {
    await this.write(objects)
    await this.settle()
  }

  /** Replaces the objects and waits for nothing. */
  async write(objects: string): Promise<void> {
    this.#objects = objects
    this.#marker = nextMarkerPort()
    const marker = markerObjects({ port: this.#marker, targetPort: 8080, lab: this.#lab })
    await writeManifest(
      join(this.manifests, 'cluster.yaml'),
      [objects, ...marker.map(object => stringify(object))].join('\n---\n'),
    )
  }

  /**
   * Waits until what was written last is programmed completely. A Service of the lab's own, written in the same file, moves to
   * a new port each time, and is asked until it answers. A pass may program it before other things, so this is done twice:
   * passes run one after the other, so when the second move is seen, the pass that did the first is over.
   */
  async settle(): Promise<void> {
    await this.#seeMarker()
    await this.write(this.#objects)
    await this.#seeMarker()
  }

  /** Stops the daemon by SIGTERM; the rules stay. */
  async stop(): Promise<string> {
    return this.daemon.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
  }

  async #seeMarker(): Promise<void> {
    for (const address of Object.values(markerAddress)) {
      // An address that nobody serves yet may be met by silence, so attempts are short at first; on a slow machine they grow.
      let timeoutMs = 25
      const ask = async (): Promise<Outcome | undefined> => {
        timeoutMs = Math.min(2000, timeoutMs * 1.5)
        const target = { protocol: 'TCP', address, port: this.#marker, timeoutMs, count: 1, parallel: 1 } as const
        const [outcome] = await this.#lab.agent(this.#lab.node.name).ask('connect', target)
        return outcome?.ok ? outcome : undefined
      }
      await this.daemon.waitFor(ask, {
        what: `the Service lab/marker to answer at ${address} port ${this.#marker}`,
        deadlineMs: 30_000,
      })
    }
  }
}

/** Starts the daemon on the lab's first node, with an empty folder of manifests. It has programmed nothing yet. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { lab, config = {}, settings, arguments: extra = [], starts = true } = options
  const directory = await mkdtemp(join(lab.directory, 'proxy-'))
  const paths = {
    manifests: join(directory, 'manifests'),
    config: join(directory, 'config.yaml'),
    state: join(lab.directory, 'state'),
  }
  await mkdir(paths.manifests)
  await writeFile(paths.config, stringify({ ...baseConfig, ...config }))
  if (settings !== undefined) await writeFile(join(directory, 'switchyard.conf'), stringify({ ...baseSettings, ...settings }))
  const where = ['--manifests', paths.manifests, '--config', paths.config, '--state-dir', paths.state]
  const flags = [...where, '--hostname-override', lab.node.name, ...extra]
  const daemon = new Daemon({ namespace: lab.node.namespace, arguments: ['run', ...flags] })
  if (starts) daemon.start()
  return new RunningProxy({ lab, daemon, flags, paths })
}

/** Writes a manifest so that a watcher never sees half of it. */
export async function writeManifest(path: string, text: string): Promise<void> {
  const unfinished = `${path}.unfinished`
  await writeFile(unfinished, text)
  await rename(unfinished, path)
}

/** Where the lab's own Service is, which shows that what was written before it is programmed. */
export const markerAddress = { ipv4: '10.96.255.254', ipv6: 'fd00:10:96::fffe' } as const
export const firstMarkerPort = 10_000

/** A port that no proxy had before: an earlier one's may still answer. */
let lastMarkerPort: number = firstMarkerPort

function nextMarkerPort(): number {
  lastMarkerPort += 1
  return lastMarkerPort
}

export interface Marker {
  readonly port: number
  /** One that every pod serves. */
  readonly targetPort: number
  readonly lab: Lab
}

/** The Service lab/marker and its slices, which lead to the first node's first pod. */
export function markerObjects({ port, targetPort, lab }: Marker): readonly ApiObject[] {
  const [pod] = lab.node.pods
  if (pod === undefined) throw new Error('lab: the first node needs a pod, which the marker Service leads to')
  const slice = (family: 'IPv4' | 'IPv6', address: string) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `marker-${family.toLowerCase()}`, namespace: 'lab', labels: { 'kubernetes.io/service-name': 'marker' } },
    addressType: family,
    endpoints: [{ addresses: [address], conditions: { ready: true }, nodeName: lab.node.name }],
    ports: [{ name: 'marker', protocol: 'TCP', port: targetPort }],
  })
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'marker', namespace: 'lab' },
      spec: {
        type: 'ClusterIP',
        clusterIP: markerAddress.ipv4,
        clusterIPs: [markerAddress.ipv4, markerAddress.ipv6],
        ipFamilies: ['IPv4', 'IPv6'],
        ipFamilyPolicy: 'RequireDualStack',
        ports: [{ name: 'marker', port, protocol: 'TCP', targetPort }],
      },
    },
    slice('IPv4', pod.ipv4),
    slice('IPv6', pod.ipv6),
  ]
}
