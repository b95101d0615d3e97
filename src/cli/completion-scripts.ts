// Commands with their flags → completion scripts for bash, zsh and fish. Pure. What stands in a script is quoted for its shell, whatever a help text says.
import type { Flag, Flags } from '../config/flags.ts'

export interface CompletedCommand {
  readonly name: string
  readonly about: string
  readonly flags: Flags
  /** What its first argument may be, where that is known. */
  readonly words: readonly string[]
}

type Script = (commands: readonly CompletedCommand[]) => string

/** The command that is meant where none is named. */
const usual = 'run'

/** A flag's value may be a file, unless its type says what else it is. */
function takesFile({ type }: Flag<unknown>): boolean {
  return type.name === 'string' && type.words === undefined
}

function needsValue({ type }: Flag<unknown>): boolean {
  return type.bare === undefined
}

function spellings(name: string, { letter }: Flag<unknown>): readonly string[] {
  return letter === undefined || letter === name ? [dashed(name)] : [`-${letter}`, dashed(name)]
}

/** `-v` is one letter long, and has no long form in anybody's habit. */
function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`
}

/** In single quotes, as bash and zsh read them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function entries(flags: Flags): readonly (readonly [string, Flag<unknown>])[] {
  return Object.entries(flags)
}

const header = (shell: string): string =>
  `# ${shell} completion of switchyard; printed by: switchyard completion ${shell}. Print it anew after an update.`

const bash: Script = commands => {
  const flagWords = commands.map(({ name, flags, words }) => {
    const all = entries(flags).flatMap(([flag, about]) => spellings(flag, about))
    return `    ${name}) flags=${quoted(all.join(' '))} words=${quoted(words.join(' '))} ;;`
  })
  const values = commands.flatMap(({ name, flags }) =>
    entries(flags).flatMap(([flag, about]) => {
      const { words } = about.type
      // A flag that may stand alone takes a value after the sign only.
      const signs = needsValue(about) ? ['', '='] : words === undefined ? [] : ['=']
      const patterns = spellings(flag, about).flatMap(each => signs.map(sign => quoted(`${name} ${each}${sign}`)))
      const kind = words !== undefined ? `words choices=${quoted(words.join(' '))}` : takesFile(about) ? 'file' : 'other'
      return patterns.length === 0 ? [] : [`    ${patterns.join('|')}) kind=${kind} ;;`]
    }),
  )
  return `${header('bash')}
_switchyard() {
  local current=\${COMP_WORDS[COMP_CWORD]} flag=\${COMP_WORDS[COMP_CWORD-1]} command='' flags='' words='' kind='' choices=''
  COMPREPLY=()
  # Bash takes \`--flag=value\` apart at the sign.
  if [ "$current" = = ]; then
    flag+='=' current=''
  elif [ "$flag" = = ]; then
    flag="\${COMP_WORDS[COMP_CWORD-2]}="
  fi
  case \${COMP_WORDS[1]} in
    ${commands.map(({ name }) => name).join('|')}) command=\${COMP_WORDS[1]} ;;
    *) command=${usual} ;;
  esac
  if [ "$COMP_CWORD" = 1 ] && [ "\${current#-}" = "$current" ]; then
    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name).join(' '))} -- "$current"))
    return
  fi
  case $command in
${flagWords.join('\n')}
  esac
  case "$command $flag" in
${values.join('\n')}
    *=) return ;;
  esac
  case $kind in
    words) COMPREPLY=($(compgen -W "$choices" -- "$current")); return ;;
    file) compopt -o filenames 2> /dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$current")); return ;;
    other) return ;;
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) [ "$COMP_CWORD" != 2 ] || COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -F _switchyard switchyard
`
}

const zsh: Script = commands => {
  /** Colons and brackets part the fields of a specification. */
  const plain = (text: string): string => text.replace(/[[\]:\\]/g, found => `\\${found}`)
  const spec = ([name, flag]: readonly [string, Flag<unknown>]): string => {
    const { words, name: typeName } = flag.type
    const action = words !== undefined ? `(${words.join(' ')})` : takesFile(flag) ? '_files' : ' '
    const value = `:${plain(typeName)}:${action}`
    const help = `[${plain(flag.help)}]`
    const all = spellings(name, flag)
    return all
      .map(each => {
        const sign = needsValue(flag) ? (each.startsWith('--') ? '=' : '+') : ''
        return quoted(`(${all.join(' ')})${each}${sign}${help}${needsValue(flag) ? value : ''}`)
      })
      .join(' ')
  }
  const cases = commands.map(({ name, flags, words }) => {
    const argument = words.length === 0 ? [] : [quoted(`1:argument:(${words.join(' ')})`)]
    return `    ${name}) _arguments -S ${[...entries(flags).map(spec), ...argument].join(' ')} ;;`
  })
  return `#compdef switchyard
${header('zsh')}
_switchyard() {
  local -a commands=(
${commands.map(({ name, about }) => `    ${quoted(`${name}:${plain(about)}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe -t commands command commands
    return
  fi
  local command=${usual}
  if [[ $words[2] != -* ]]; then
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _switchyard ]; then
  _switchyard "$@"
else
  compdef _switchyard switchyard
fi
`
}

const fish: Script = commands => {
  const plain = (text: string): string => `'${text.replace(/['\\]/g, found => `\\${found}`)}'`
  const names = commands.map(({ name }) => name).join(' ')
  const others = commands.flatMap(({ name }) => (name === usual ? [] : [name])).join(' ')
  const when = (name: string): string =>
    plain(name === usual ? `not __fish_seen_subcommand_from ${others}` : `__fish_seen_subcommand_from ${name}`)
  const lines = commands.flatMap(({ name, flags, words }) => [
    ...entries(flags).map(([flag, about]) => {
      const { letter, type } = about
      const long = flag.length === 1 ? [] : [`-l ${flag}`]
      const short = letter === undefined ? [] : [`-s ${letter}`]
      const value = !needsValue(about)
        ? []
        : type.words !== undefined
          ? [`-x -a ${plain(type.words.join(' '))}`]
          : [takesFile(about) ? '-r -F' : '-x']
      return ['complete -c switchyard -n', when(name), ...short, ...long, ...value, '-d', plain(about.help)].join(' ')
    }),
    ...(words.length === 0 ? [] : [`complete -c switchyard -n ${when(name)} -a ${plain(words.join(' '))}`]),
  ])
  return `${header('fish')}
complete -c switchyard -f
${commands
  .map(
    ({ name, about }) =>
      `complete -c switchyard -n ${plain(`not __fish_seen_subcommand_from ${names}`)} -a ${name} -d ${plain(about)}`,
  )
  .join('\n')}
${lines.join('\n')}
`
}

export const scripts: Readonly<Record<string, Script>> = { bash, zsh, fish }
