// What the demo prints: headings, commands, bars; colour on a terminal only.
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout })
}

let steps = 0

export function title(text: string): void {
  console.log(`\n${styled('bold', text)}`)
}

export function step(text: string): void {
  console.log(`\n${styled(['bold', 'cyan'], `${++steps}. ${text}`)}`)
}

export function say(text: string): void {
  console.log(`   ${text}`)
}

/** A command that a person could type, then what it printed. */
export function command(text: string): void {
  console.log(`   ${styled('dim', '$')} ${styled('yellow', text)}`)
}

export function output(text: string): void {
  for (const line of text.trimEnd().split('\n')) console.log(`     ${styled('dim', line)}`)
}

export function good(text: string): void {
  console.log(`   ${styled('green', '✔')} ${text}`)
}

export function bad(text: string): void {
  console.log(`   ${styled('red', '✘')} ${text}`)
}

/** How many answers came from whom. */
export function bars(counts: ReadonlyMap<string, number>): void {
  for (const [name, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`     ${name.padEnd(8)}${styled('green', '█'.repeat(count))} ${count}`)
  }
}
