// The list of commands. Each is a file of its own with `main(argv) → exit status` (0 fine, 1 failure, 64 usage).
export interface Command {
  readonly about: string
  readonly load: () => Promise<{ readonly main: (argv: readonly string[]) => Promise<number> }>
}

export const commands: Readonly<Record<string, Command>> = {
  run: { about: 'follow the cluster and program this node (the default)', load: () => import('./run.ts') },
  config: { about: 'print the effective configuration and where each value comes from', load: () => import('./config.ts') },
  status: { about: 'ask the daemon of this node how it is', load: () => import('./status.ts') },
  plan: { about: "say what would change in this node's kernel", load: () => import('./plan.ts') },
  verify: { about: "compare this node's kernel with what it should hold", load: () => import('./verify.ts') },
  trace: { about: 'say what would become of a packet, and why', load: () => import('./trace.ts') },
  cleanup: { about: 'remove everything of ours from this node', load: () => import('./cleanup.ts') },
  help: { about: 'print this', load: async () => ({ main: async () => print(usage()) }) },
}

export function usage(): string {
  const list = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(9)}${about}`)
  return `Usage: switchyard [COMMAND] [FLAGS]

Switchyard programs this node's kernel so that a connection to a Kubernetes Service reaches a Pod.

Commands:
${list.join('\n')}

Examples:
  switchyard --manifests ./manifests --hostname-override node1
  switchyard run --config /var/lib/kube-proxy/config.conf

\`switchyard run --help\` lists the flags.
`
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
