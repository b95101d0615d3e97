// `switchyard completion SHELL`: a script for the shell that completes commands, flags and the words that a flag may have. Made of the tables that the
// commands read their command lines with, so it knows what this version knows.
import { bool } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import type { Flags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { commands } from './commands.ts'
import { type CompletedCommand, scripts } from './completion-scripts.ts'
import { refuse, say } from './say.ts'

export const flags: Flags = {
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

export const words: readonly string[] = Object.keys(scripts)

const usage = `Usage: switchyard completion ${words.join('|')}

Prints a script that completes switchyard's commands, flags and their words in your shell.

Exit status: 0 it is printed; 64 the command line is wrong.

Examples:
  source <(switchyard completion bash)                                         in this bash
  switchyard completion bash > /etc/bash_completion.d/switchyard               in every bash (package bash-completion)
  switchyard completion zsh > "\${fpath[1]}/_switchyard"                        in every zsh
  switchyard completion fish > ~/.config/fish/completions/switchyard.fish      in every fish
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<{ readonly help?: boolean }>(flags, argv)
  if (values.help === true) return say(usage)
  const [shell = '', ...surplus] = positionals
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
  const given = positionals.length === 0 ? 'nothing' : positionals.join(' ')
  const wrong = `completion takes the name of a shell, ${words.join(', ')}, and got ${given}`
  const mistakes = [...errors.map(formatProblem), ...(script === undefined || surplus.length > 0 ? [wrong] : [])]
  return script === undefined || mistakes.length > 0 ? refuse(mistakes) : say(script(await readCommands()))
}

async function readCommands(): Promise<readonly CompletedCommand[]> {
  return Promise.all(
    Object.entries(commands).map(async ([name, { about, load }]) => {
      const { flags: table, words: arguments_ = [] } = await load()
      return { name, about, flags: table, words: arguments_ }
    }),
  )
}
