// Colours of what commands print on standard output.
import { styleText } from 'node:util'
import type { Paint, Style } from './table.ts'

const styles = { good: 'green', bad: 'red', title: 'bold' } as const satisfies Record<Style, Parameters<typeof styleText>[0]>

/** By itself plain where the output is no terminal, or NO_COLOR is set. */
export const paint: Paint = (style, text) => styleText(styles[style], text, { stream: process.stdout })
