// `switchyard completion SHELL`: a script that completes commands, flags and their words, made from the tables that the commands themselves read.
import { bool } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import type { Flag, Flags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { commands } from './commands.ts'

export const flags: Flags = {
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

export const words = ['bash', 'zsh', 'fish']

const usage = `Usage: switchyard completion bash|zsh|fish

Prints a script that makes the shell complete commands, flags and, where there are only a few, their values.

Examples:
  source <(switchyard completion bash)
  switchyard completion bash > /etc/bash_completion.d/switchyard
  switchyard completion fish > ~/.config/fish/completions/switchyard.fish
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<{ readonly help?: boolean }>(flags, argv)
  if (values.help === true) return print(usage)
  const [shell, ...others] = positionals
  if (errors.length + others.length > 0 || shell === undefined || !words.includes(shell)) {
    for (const problem of errors) process.stderr.write(`switchyard: ${formatProblem(problem)}\n`)
    process.stderr.write(`switchyard: completion takes one shell: ${words.join(', ')}\n`)
    return 64
  }
  const all = await allCommands()
  return print(shell === 'fish' ? fish(all) : shell === 'zsh' ? zsh(all) : bash(all))
}

interface Completed {
  readonly name: string
  readonly about: string
  readonly words: readonly string[]
  readonly flags: readonly CompletedFlag[]
}

interface CompletedFlag {
  readonly name: string
  readonly letter: string | undefined
  readonly help: string
  /** Its only values; empty where it takes any, or none. */
  readonly words: readonly string[]
  readonly takesValue: boolean
}

async function allCommands(): Promise<readonly Completed[]> {
  const all = Object.entries(commands).map(async ([name, { about, load }]) => {
    const file = await load()
    const first = name === 'help' ? Object.keys(commands) : (file.words ?? [])
    const known = Object.entries(file.flags ?? {}).filter(([, { unused }]) => unused !== true)
    return { name, about, words: first, flags: known.map(completedFlag) }
  })
  return Promise.all(all)
}

function completedFlag([name, { type, help, letter }]: readonly [string, Flag<unknown>]): CompletedFlag {
  return { name, letter, help, words: type.words ?? [], takesValue: type.bare === undefined }
}

/** Without a command name the flags are those of `run`. */
function bash(all: readonly Completed[]): string {
  const values = all.flatMap(({ name, flags: own }) =>
    own
      .filter(({ words: few }) => few.length > 0)
      .map(({ name: flag, letter, words: few }) => {
        const names = [`--${flag}`, ...(letter === undefined ? [] : [`-${letter}`])]
        return `    ${names.map(each => `"${name} ${each}"`).join('|')}) choices='${few.join(' ')}' ;;`
      }),
  )
  const flagsOf = all.map(({ name, flags: own }) => `      ${name}) choices='${own.map(flag => `--${flag.name}`).join(' ')}' ;;`)
  const wordsOf = all
    .filter(({ words: few }) => few.length > 0)
    .map(({ name, words: few }) => `      ${name}) choices='${few.join(' ')}' ;;`)
  return `# bash completion of switchyard
_switchyard() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command=run choices=
  # "--flag=value" comes as three words
  if [ "$word" = = ]; then word=; elif [ "$previous" = = ]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  COMPREPLY=()
  if [ "$COMP_CWORD" -gt 1 ]; then case \${COMP_WORDS[1]} in -*) ;; *) command=\${COMP_WORDS[1]} ;; esac; fi
  case "$command $previous" in
${values.join('\n')}
  esac
  if [ -z "$choices" ] && [ "\${word#-}" != "$word" ]; then
    case $command in
${flagsOf.join('\n')}
    esac
  elif [ -z "$choices" ] && [ "$COMP_CWORD" -eq 1 ]; then
    choices='${all.map(({ name }) => name).join(' ')}'
  elif [ -z "$choices" ] && [ "$COMP_CWORD" -eq 2 ]; then
    case $command in
${wordsOf.join('\n')}
    esac
  fi
  local each
  for each in $choices; do case $each in "$word"*) COMPREPLY+=("$each") ;; esac; done
}
complete -o default -F _switchyard switchyard
`
}

function zsh(all: readonly Completed[]): string {
  return `#compdef switchyard
autoload -U +X bashcompinit && bashcompinit
${bash(all)}`
}

function fish(all: readonly Completed[]): string {
  const first = all.map(({ name, about }) => `complete -c switchyard -n __fish_use_subcommand -f -a ${name} -d ${quoted(about)}`)
  const rest = all.flatMap(({ name, words: few, flags: own }) => {
    const when = `-n '__fish_seen_subcommand_from ${name}'`
    return [
      ...(few.length > 0 ? [`complete -c switchyard ${when} -f -a ${quoted(few.join(' '))}`] : []),
      ...own.map(flag => {
        const values = flag.words.length > 0 ? ` -x -a ${quoted(flag.words.join(' '))}` : flag.takesValue ? ' -r' : ''
        const letter = flag.letter === undefined ? '' : ` -s ${flag.letter}`
        return `complete -c switchyard ${when} -l ${flag.name}${letter}${values} -d ${quoted(flag.help)}`
      }),
    ]
  })
  return `# fish completion of switchyard\n${[...first, ...rest].join('\n')}\n`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
