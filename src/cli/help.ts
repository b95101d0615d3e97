// `switchyard help [COMMAND]`: the list of commands, or what `switchyard COMMAND --help` prints.
import { bool } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import type { Flags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { closest } from '../model/suggest.ts'
import { commandList, commandNames, commands } from './commands.ts'
import { refuse, say } from './say.ts'

export const flags: Flags = {
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

export const words = commandNames

export function usage(): string {
  return `Usage: switchyard [COMMAND] [FLAGS]

Switchyard programs this node's kernel so that a connection to a Kubernetes Service reaches a Pod.

Commands:
${commandList()}

Examples:
  switchyard --manifests ./manifests --hostname-override node1
  switchyard run --config /var/lib/kube-proxy/config.conf
  switchyard status --watch

Exit status of every command: 0 fine; 1 it failed; 64 the command line is wrong. Where it says more, its help does.
\`switchyard help COMMAND\`, or \`switchyard COMMAND --help\`, has its flags and examples.
`
}

/** For a name that is no command's. */
export function noSuchCommand(name: string): string {
  if (name === 'version') return `there is no command "version"; \`switchyard --version\` prints it`
  const meant = closest(name, words)
  const advice = meant === undefined ? '`switchyard help` lists the commands' : `did you mean \`switchyard ${meant}\`?`
  return `there is no command ${JSON.stringify(name)}; ${advice}`
}

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<{ readonly help?: boolean }>(flags, argv)
  const [name, ...surplus] = positionals
  const mistakes = [
    ...errors.map(formatProblem),
    ...surplus.map(word => `help takes one command, not also ${JSON.stringify(word)}`),
  ]
  if (mistakes.length > 0) return refuse(mistakes)
  if (name === undefined || name === 'help' || values.help === true) return say(usage())
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) return refuse([noSuchCommand(name)])
  return (await command.load()).main(['--help'])
}
