// A daemon under test: bin/switchyard on a node, over a folder of manifests that the test edits.
//
//   await using switchyard = await startSwitchyard({ node, arguments: ['--iptables-backend', 'nft'] })
//   await switchyard.put('web.yaml', web({ name: 'web', number: 1, endpoints: ['10.244.0.1'] }))
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { IpFamily } from '../../../src/model/address.ts'
import { Daemon, type LogLine } from '../lab/daemon.ts'
import type { Rules, TestNode } from './node.ts'
import type { Manifest } from './objects.ts'

export interface SwitchyardOptions {
  readonly node: TestNode
  /** Fields of KubeProxyConfiguration beside the base ones. */
  readonly config?: Manifest
  /** Fields of SwitchyardConfiguration, which stands beside the other file. */
  readonly settings?: Manifest
  readonly arguments?: readonly string[]
  /** The PATH on which it finds its tools. */
  readonly path?: string
}

const baseConfig = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clusterCIDR: '10.244.0.0/16,fd00:10:244::/56',
  conntrack: { maxPerCore: 0 },
} as const

const baseSettings = { apiVersion: 'switchyard/v1alpha1', kind: 'SwitchyardConfiguration' } as const

/** Full reads of the rules are rare on a machine that is busy with other things; no working test waits so long on an idle one. */
const deadlineMs = 120_000

/** The kernel is compared with what it should hold so often that a test need not wait for long. */
export const frequentChecks: Manifest = { iptables: { syncPeriod: '500ms', minSyncPeriod: '500ms' } }

/** What a test may want to see in the log. */
export type Wanted = RegExp | ((line: LogLine) => boolean)

export class Switchyard implements AsyncDisposable {
  readonly daemon: Daemon
  readonly #node: TestNode

  constructor(options: { readonly daemon: Daemon; readonly node: TestNode }) {
    this.daemon = options.daemon
    this.#node = options.node
  }

  get log(): readonly LogLine[] {
    return this.daemon.log
  }

  /** Where the log is now: for the `since` of what comes after. */
  mark(): number {
    return this.daemon.log.length
  }

  /** The first line from `since` on that the test wants; `what` completes "waited in vain for". */
  waitForLog(wanted: Wanted, options: { readonly since?: number; readonly what?: string } = {}): Promise<LogLine> {
    const matches = typeof wanted === 'function' ? wanted : (line: LogLine) => wanted.test(line.msg)
    return this.daemon.waitForLog(matches, { what: `a log line ${wanted}`, deadlineMs, ...options })
  }

  /** The end of the first pass of the family from `since` on. */
  waitForSync(options: { readonly family?: IpFamily; readonly since?: number } = {}): Promise<LogLine> {
    const { family = 'IPv4', ...rest } = options
    return this.waitForLog(line => line.msg.startsWith(`synced ${family}`), { ...rest, what: `a sync of ${family}` })
  }

  /** Two comparisons of the family's rules with the kernel from now on; with `full` the last of them reads everything. */
  async waitForChecks(options: { readonly family?: IpFamily; readonly full?: boolean } = {}): Promise<void> {
    const { family = 'IPv4', full = false } = options
    const since = this.mark()
    const enough = () => {
      const checks = this.log.slice(since).filter(line => line['family'] === family && line.msg.startsWith('compared the'))
      return checks.length >= 2 && (!full || checks.at(-1)?.['extent'] === 'everything') ? true : undefined
    }
    await this.daemon.waitFor(enough, { what: `checks of ${family}`, deadlineMs })
  }

  /** Polls the kernel, or anything else, as long as the daemon lives. */
  waitFor<T>(probe: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
    return this.daemon.waitFor(probe, { what, everyMs: 50, deadlineMs })
  }

  /** Polls what the kernel holds until it is as the test wants it, and gives it. */
  waitForRules(rules: Rules, holds: (save: string) => boolean, what: string): Promise<string> {
    const probe = async (): Promise<string | undefined> => {
      const save = await this.#node.save(rules)
      return holds(save) ? save : undefined
    }
    return this.waitFor(probe, `${what} in the ${rules.backend} ${rules.family ?? 'IPv4'} rules`)
  }

  linesSince(since: number, wanted: RegExp): readonly LogLine[] {
    return this.log.slice(since).filter(({ msg }) => wanted.test(msg))
  }

  /** Writes a manifest file so that a watcher never sees half of it. */
  async put(file: string, objects: readonly Manifest[] | string): Promise<void> {
    await putManifest(manifestsOf(this.#node), file, objects)
  }

  async remove(file: string): Promise<void> {
    await rm(join(manifestsOf(this.#node), file))
  }

  /** Replaces the configuration of the running daemon, fields beside the base ones; waits for nothing. */
  async configure(files: { readonly config?: Manifest; readonly settings?: Manifest }): Promise<void> {
    await writeConfiguration(this.#node, files)
  }

  /** SIGTERM; `code 0` where all is well. */
  stop(): Promise<string> {
    return this.daemon.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
  }
}

export async function startSwitchyard(options: SwitchyardOptions): Promise<Switchyard> {
  const { node, path } = options
  const flags = await switchyardFlags(options)
  const daemon = new Daemon({
    namespace: node.namespace,
    arguments: flags,
    ...(path === undefined ? {} : { environment: { PATH: path } }),
  })
  daemon.start()
  return new Switchyard({ daemon, node })
}

/** The command line of a daemon on this node. Makes its folder of manifests, and writes its configuration. */
export async function switchyardFlags({
  node,
  config,
  settings,
  arguments: more = [],
}: SwitchyardOptions): Promise<readonly string[]> {
  const manifests = manifestsOf(node)
  await mkdir(manifests, { recursive: true })
  await writeConfiguration(node, { config: config ?? {}, ...(settings === undefined ? {} : { settings }) })
  return [
    ...['run', '--config', configFileOf(node), '--manifests', manifests, '--hostname-override', 'node1'],
    ...['--state-dir', join(node.directory, 'state'), ...more],
  ]
}

export function manifestsOf(node: TestNode): string {
  return join(node.directory, 'manifests')
}

function configFileOf(node: TestNode): string {
  return join(node.directory, 'config.yaml')
}

async function writeConfiguration(
  node: TestNode,
  files: { readonly config?: Manifest; readonly settings?: Manifest },
): Promise<void> {
  const { config, settings } = files
  if (settings !== undefined)
    await writeWhole(join(node.directory, 'switchyard.conf'), stringify({ ...baseSettings, ...settings }))
  if (config !== undefined) await writeWhole(configFileOf(node), stringify({ ...baseConfig, ...config }))
}

/** For manifests that must be there before the daemon starts. */
export async function putManifest(folder: string, file: string, objects: readonly Manifest[] | string): Promise<void> {
  const text = typeof objects === 'string' ? objects : objects.map(object => JSON.stringify(object)).join('\n---\n')
  await mkdir(folder, { recursive: true })
  await writeWhole(join(folder, file), text)
}

/** Who watches it sees all of it or none. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.unfinished`, text)
  await rename(`${path}.unfinished`, path)
}
