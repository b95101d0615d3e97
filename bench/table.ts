// Figures → a table for a terminal.
import { type Figure, sizeText } from './figures.ts'
import { median, percentile, readable } from './statistics.ts'

/** p50 and p99 over the samples of all runs, beside the floor's median, and how many times that the two are. */
export function printFigures(figures: readonly Figure[]): void {
  const rows = figures.map(figure => {
    const samples = figure.runs.flatMap(run => run.samples)
    const floor = median(figure.runs.flatMap(run => run.floor ?? []))
    const [p50, p99] = [median(samples), percentile(samples, 0.99)]
    const times = (value: number): string => (Number.isNaN(floor) ? '' : `${(value / floor).toFixed(2)}×`)
    const several = samples.length > 1
    return [
      sizeText(figure),
      figure.backend,
      `${figure.part}: ${figure.what}`,
      figure.unit,
      readable(p50),
      several ? readable(p99) : '',
      Number.isNaN(floor) ? '' : readable(floor),
      times(p50),
      several ? times(p99) : '',
      Math.max(...figure.runs.map(run => run.busyCores)).toFixed(1),
    ]
  })
  const heads = ['Services', 'backend', 'what', 'unit', 'p50', 'p99', 'floor', 'p50/floor', 'p99/floor', 'others']
  printTable([heads, ...rows], 4)
  console.log(
    'floor: the same lines fed to the same tool by hand (median); others: cores that were busy with other things before',
  )
}

/** Columns as wide as their widest cell; the first `words` of them start at the left. */
function printTable(rows: readonly (readonly string[])[], words: number): void {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map(row => row[index]?.length ?? 0)))
  for (const row of rows) {
    const cells = row.map((text, index) => (index < words ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0)))
    console.log(cells.join('  ').trimEnd())
  }
}
