// The list of commands. Each is a file of its own with `main(argv) → exit status` (0 fine, 1 failure, 64 usage) and its flags.
import type { Flags } from '../config/flags.ts'

export interface CommandModule {
  readonly main: (argv: readonly string[]) => Promise<number>
  /** What it reads its command line with: shell completion is made of it. */
  readonly flags: Flags
  /** The words that its first argument may be, where these are known. */
  readonly words?: readonly string[]
}

export interface Command {
  readonly about: string
  readonly load: () => Promise<CommandModule>
}

export const commands: Readonly<Record<string, Command>> = {
  run: { about: 'follow the cluster and program this node (the default)', load: () => import('./run.ts') },
  config: { about: 'print the effective configuration and where each value comes from', load: () => import('./config.ts') },
  status: { about: 'ask the daemon of this node how it is, and about Services', load: () => import('./status.ts') },
  plan: { about: "say what would change in this node's kernel", load: () => import('./plan.ts') },
  verify: { about: "compare this node's kernel with what it should hold", load: () => import('./verify.ts') },
  trace: { about: 'say what would become of a packet, and why', load: () => import('./trace.ts') },
  takeover: { about: 'take this node over from kube-proxy without a gap', load: () => import('./takeover.ts') },
  handover: { about: 'give this node back to kube-proxy without a gap', load: () => import('./handover.ts') },
  cleanup: { about: 'remove everything of ours from this node', load: () => import('./cleanup.ts') },
  completion: { about: 'print a script that completes commands and flags in your shell', load: () => import('./completion.ts') },
  help: { about: 'print this, or the help of one command', load: () => import('./help.ts') },
}

export const commandNames: readonly string[] = Object.keys(commands)

/** A line each. */
export function commandList(): string {
  const width = Math.max(...commandNames.map(name => name.length)) + 2
  return Object.entries(commands)
    .map(([name, { about }]) => `  ${name.padEnd(width)}${about}`)
    .join('\n')
}
