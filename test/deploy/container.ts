// A container of the DaemonSet's pod, started as kubelet and a container runtime would start it: the image's tree and entry point, and
// of the manifest the arguments, environment, mounts, capabilities and read-only root. Takes a network namespace as the host's;
// gives the process and its log. Everything of it ends with `stop` or when its scope ends. Needs root.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { V1Container, V1PodSpec } from '@kubernetes/client-node'
import { execa } from 'execa'
import { poll } from '../support/lab/poll.ts'
import { argumentsOf, container, mountsOf } from './daemon-set.ts'

/** What the image holds, as the Dockerfile puts it together. */
export interface Image {
  /** What deploy/image/root-filesystem made. */
  readonly tree: string
  readonly node: string
  /** What scripts/build.ts made. */
  readonly bundle: string
}

export interface ContainerOptions {
  readonly image: Image
  /** The network namespace that is the host's. */
  readonly namespace: string
  readonly pod: V1PodSpec
  /** The container's name in the pod. */
  readonly name: string
  readonly nodeName: string
  /** What on this machine stands for each volume, by the volume's name; undefined: the host path that it names. */
  readonly volumes: Readonly<Record<string, string>>
  /** Beside those of the pod: source, target. Read-only. */
  readonly extraMounts?: readonly (readonly [source: string, target: string])[]
  readonly extraArguments?: readonly string[]
  /** Instead of the image's entry point and the arguments. */
  readonly command?: readonly string[]
  /** Instead of those of the manifest. */
  readonly capabilities?: readonly string[]
}

/** The image as the Dockerfile would make it here. Throws where its tree is not there and cannot be made. */
export async function imageOf(bundle: string): Promise<Image> {
  const { stdout: tree } = await execa(join(import.meta.dirname, '../../deploy/image/root-filesystem'))
  return { tree, node: process.execPath, bundle }
}

export class Container implements AsyncDisposable {
  readonly output: string[] = []
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #scratch: string

  private constructor(child: ChildProcessByStdio<null, Readable, Readable>, scratch: string) {
    this.#child = child
    this.#scratch = scratch
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', line => this.output.push(line))
    }
  }

  static async start(options: ContainerOptions): Promise<Container> {
    const scratch = await mkdtemp(join(tmpdir(), 'switchyard-container-'))
    const isolated = ['ip', 'netns', 'exec', options.namespace, 'unshare', '--mount', '--pid', '--fork', '--kill-child']
    const [program = '', ...args] = [...isolated, ...commandLine(options, scratch)]
    return new Container(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }), scratch)
  }

  /** Exit status or signal; undefined while it runs. */
  get ended(): number | string | undefined {
    return this.#child.exitCode ?? this.#child.signalCode ?? undefined
  }

  /** Waits until it says so. One that ends before is an error at once. */
  async waitForOutput(pattern: RegExp): Promise<string> {
    const found = (): string | undefined => {
      const line = this.output.find(candidate => pattern.test(candidate))
      if (line === undefined && this.ended !== undefined)
        throw new Error(`ended (${this.ended}) without ${pattern}\n${this.lastLines()}`)
      return line
    }
    return poll(found, { what: `output ${pattern}`, deadlineMs: 60_000, context: () => this.lastLines() })
  }

  /** Waits for its end and gives its exit status. */
  async end(): Promise<number | string> {
    if (this.ended === undefined) {
      const timer = AbortSignal.timeout(30_000)
      await once(this.#child, 'close', { signal: timer }).catch(cause => {
        throw new Error(`still runs after 30 s\n${this.lastLines()}`, { cause })
      })
    }
    return this.ended ?? 'closed'
  }

  /** SIGTERM to its first process, as kubelet sends it, and its exit status. */
  async stop(): Promise<number | string> {
    const children = await readFile(`/proc/${this.#child.pid}/task/${this.#child.pid}/children`, 'utf8').catch(() => '')
    const [first] = children.trim().split(' ')
    if (first !== undefined && first !== '') process.kill(Number(first), 'SIGTERM')
    return this.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended === undefined) {
      // Its child ends with it (--kill-child), and with that one all mounts.
      const closed = once(this.#child, 'close')
      this.#child.kill('SIGKILL')
      await closed
    }
    await rm(this.#scratch, { recursive: true })
  }

  lastLines(): string {
    return this.output.slice(-15).join('\n')
  }
}

function commandLine(options: ContainerOptions, scratch: string): readonly string[] {
  const { image, pod, nodeName, volumes, extraMounts = [], extraArguments = [] } = options
  const some = container(pod, options.name)
  const mounts = mountsOf(pod, some).flatMap(({ mount, volume }) => {
    const source = volumes[volume.name] ?? volume.hostPath?.path
    if (source === undefined) throw new TypeError(`volume ${volume.name} is no host path: say in \`volumes\` what stands for it`)
    return ['--mount', source, mount.mountPath, mount.readOnly === true ? 'ro' : 'rw']
  })
  return [
    ...[join(import.meta.dirname, 'enter-container'), image.tree, scratch],
    ...['--copy', image.node, '/usr/local/bin/node', '--copy', image.bundle, '/usr/local/lib/switchyard'],
    ...mounts,
    ...extraMounts.flatMap(([source, target]) => ['--mount', source, target, 'ro']),
    ...privileges(some, options.capabilities),
    ...environment(some, nodeName),
    '--',
    ...(options.command ?? ['switchyard', ...argumentsOf(some, nodeName), ...extraArguments]),
  ]
}

function privileges({ securityContext = {} }: V1Container, instead: readonly string[] | undefined): readonly string[] {
  const { privileged = false, readOnlyRootFilesystem = false, capabilities } = securityContext
  if (!privileged && capabilities?.drop?.includes('ALL') !== true) throw new TypeError('drops not all capabilities')
  const names = (instead ?? capabilities?.add ?? []).map(name => `+${name.toLowerCase()}`)
  return [
    ...(privileged ? ['--privileged'] : ['--capabilities', names.join(',')]),
    ...(readOnlyRootFilesystem ? ['--read-only'] : []),
  ]
}

function environment({ env = [] }: V1Container, nodeName: string): readonly string[] {
  return env.flatMap(({ name, value, valueFrom }) => {
    const text = valueFrom?.fieldRef?.fieldPath === 'spec.nodeName' ? nodeName : value
    if (text === undefined) throw new TypeError(`the value of ${name} is neither text nor spec.nodeName`)
    return ['--env', `${name}=${text}`]
  })
}
