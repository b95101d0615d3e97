// The metrics as Markdown tables, from the definitions. docs/metrics.md holds them; a test compares.
import type { MetricDefinitions } from './definition.ts'

/** `| metric | type | labels | meaning |`. */
export function metricTable(definitions: MetricDefinitions): string {
  const rows = Object.values(definitions).map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.length === 0 ? '' : labels.join(', '),
    help.replace('[ALPHA] ', ''),
  ])
  const lines = [['metric', 'type', 'labels', 'help'], ['---', '---', '---', '---'], ...rows]
  return lines.map(cells => `| ${cells.join(' | ')} |\n`).join('')
}
