// The tables of fields and flags as Markdown and as --help text. docs/configuration.md holds the Markdown; a test compares.
import { formatDuration } from './duration.ts'
import type { Field, Fields, Reload } from './field.ts'
import { type Flag, type Flags, flags } from './flags.ts'

const reloadWord: Readonly<Record<Reload, string>> = { live: 'live', restart: 'restart', unused: 'no effect' }

/** `| field | type | default | change | meaning |`. */
export function fieldTable(fields: Fields): string {
  const rows = Object.entries(fields).map(([path, field]) => [
    `\`${path}\``,
    field.type.name,
    `\`${defaultText(field)}\``,
    reloadWord[field.reload],
    meaning(field),
  ])
  return markdown(['field', 'type', 'default', 'change', 'meaning'], rows)
}

/** `| flag | type | default | sets | with --config |`. */
export function flagTable(): string {
  const rows = Object.entries<Flag<unknown>>(flags).map(([name, flag]) => [
    `\`${spelling(name, flag)}\``,
    flag.type.name,
    `\`${defaultText(flag)}\``,
    flag.sets === undefined ? flag.help : `\`${flag.sets}\``,
    flag.withConfig,
  ])
  return markdown(['flag', 'type', 'default', 'sets, or means', 'with --config'], rows)
}

/** One block a flag, for a terminal. */
export function flagHelp(table: Flags = flags): string {
  return Object.entries(table)
    .map(([name, flag]) => {
      const value = flag.type.bare === undefined ? ` ${flag.type.name}` : ''
      return `  ${spelling(name, flag)}${value}\n      ${meaning({ ...flag, about: flag.help })}${defaultNote(flag)}\n`
    })
    .join('')
}

/** Choices are part of the meaning; other types speak for themselves. */
function meaning({ type, about }: Pick<Field<unknown>, 'type' | 'about'>): string {
  return type.words === undefined ? about : `${about} One of: ${type.words.join(', ')}.`
}

function spelling(name: string, { letter }: Flag<unknown>): string {
  return letter === undefined ? `--${name}` : `-${letter}, --${name}`
}

function defaultNote(flag: Flag<unknown>): string {
  const value = defaultText(flag)
  return ['""', '[]', '{}', 'false'].includes(value) ? '' : ` (default ${value})`
}

function defaultText({ type, default: value }: Pick<Field<unknown>, 'type' | 'default'>): string {
  if (type.name === 'duration' && typeof value === 'number') return formatDuration(value)
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(type.encode(value))
}

function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => '---'), ...rows]
  return lines.map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`).join('')
}
