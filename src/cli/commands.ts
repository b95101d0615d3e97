// The list of commands. Each is a file of its own with `main(argv) → exit status` (0 fine, 1 failure, 64 usage).
import type { Flags } from '../config/flags.ts'
import { closest } from '../config/suggest.ts'

export interface Command {
  readonly about: string
  readonly load: () => Promise<CommandFile>
}

export interface CommandFile {
  readonly main: (argv: readonly string[]) => Promise<number>
  readonly flags?: Flags
  /** What its first argument may be, where that is one of a few words. */
  readonly words?: readonly string[]
}

export const commands: Readonly<Record<string, Command>> = {
  run: { about: 'follow the cluster and program this node (the default)', load: () => import('./run.ts') },
  config: { about: 'print the effective configuration and where each value comes from', load: () => import('./config.ts') },
  status: { about: 'ask the daemon of this node how it is', load: () => import('./status.ts') },
  plan: { about: "say what would change in this node's kernel", load: () => import('./plan.ts') },
  verify: { about: "compare this node's kernel with what it should hold", load: () => import('./verify.ts') },
  trace: { about: 'say what would become of a packet, and why', load: () => import('./trace.ts') },
  takeover: { about: 'take this node over from kube-proxy without a gap', load: () => import('./takeover.ts') },
  handover: { about: 'give this node back to kube-proxy without a gap', load: () => import('./handover.ts') },
  cleanup: { about: 'remove everything of ours from this node', load: () => import('./cleanup.ts') },
  completion: { about: 'print what makes a shell complete all of this', load: () => import('./completion.ts') },
  help: { about: 'print this, or the help of a COMMAND', load: async () => ({ main: help }) },
}

export function usage(): string {
  const list = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`)
  return `Usage: switchyard [COMMAND] [FLAGS]

Switchyard programs this node's kernel so that a connection to a Kubernetes Service reaches a Pod.

Commands:
${list.join('\n')}

Examples:
  switchyard --manifests ./manifests --hostname-override node1
  switchyard run --config /var/lib/kube-proxy/config.conf

'switchyard help COMMAND' says more of each; 'switchyard run --help' lists the daemon's flags.
`
}

/** What is said of a command that there is not. */
export function unknownCommand(name: string): string {
  const near = closest(name, Object.keys(commands))
  return `switchyard: no such command: ${name}${near === undefined ? '' : `; did you mean ${near}?`}\n`
}

async function help([name]: readonly string[]): Promise<number> {
  if (name === undefined || name === 'help' || name.startsWith('-')) return print(usage())
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return (await command.load()).main(['--help'])
  process.stderr.write(unknownCommand(name))
  return 64
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
