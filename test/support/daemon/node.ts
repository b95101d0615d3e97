// A node for a daemon under test: an empty network namespace, a folder, and its kernel's rules as text.
//
//   await using node = await createNode('drift')
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { toolsOf } from '../../../src/kernel/iptables.ts'
import type { IpFamily } from '../../../src/model/address.ts'
import { runIn } from '../lab/namespaces.ts'
import { createNamespace } from '../namespace.ts'

export interface Rules {
  readonly backend: Backend
  readonly family?: IpFamily
}

export interface TestNode extends AsyncDisposable {
  readonly namespace: string
  readonly directory: string
  /** Runs a command here and gives its output; throws with it unless it exits 0. */
  run(command: readonly string[], input?: string): Promise<string>
  /** All tables of one backend and family as iptables-save prints them, without what changes by itself (times, packet counts). */
  save(rules: Rules): Promise<string>
  /** What someone else does to the rules: `iptables` arguments, one command an entry. */
  edit(rules: Rules, commands: readonly string[]): Promise<void>
  /** The same in one stroke: the input of iptables-restore, which keeps what it does not name. */
  restore(rules: Rules, text: string): Promise<void>
  /** As a firewall that is loaded anew does it: of the tables in this text nothing else stays. */
  replaceTables(rules: Rules, text: string): Promise<void>
}

export async function createNode(purpose: string): Promise<TestNode> {
  const namespace = await createNamespace(purpose)
  const directory = await mkdtemp(join(tmpdir(), `${purpose}-`))
  return {
    ...nodeIn({ namespace: namespace.name, directory }),
    async [Symbol.asyncDispose]() {
      await namespace[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** The same in a namespace and a folder that somebody else made, and removes: those of a lab. */
export function nodeIn({ namespace, directory }: { namespace: string; directory: string }): TestNode {
  const run = async (command: readonly string[], input?: string): Promise<string> =>
    (await runIn(namespace, command, input === undefined ? {} : { input })).stdout
  const tools = ({ backend, family = 'IPv4' }: Rules) => toolsOf(family, backend)
  return {
    namespace,
    directory,
    run,
    save: async rules => withoutNoise(await run([tools(rules).save])),
    async edit(rules, commands) {
      for (const command of commands) await run([tools(rules).tool, ...words(command)])
    },
    async restore(rules, text) {
      await run([tools(rules).restore, '--noflush'], text)
    },
    async replaceTables(rules, text) {
      await run([tools(rules).restore], text)
    },
    async [Symbol.asyncDispose]() {},
  }
}

function withoutNoise(save: string): string {
  const lines = save.split('\n').filter(line => !line.startsWith('#'))
  return lines.map(line => (line.startsWith(':') ? line.replace(/\[\d+:\d+\]$/, '[0:0]') : line)).join('\n')
}

/** Splits at spaces, but not inside of double quotes. */
function words(command: string): readonly string[] {
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}
