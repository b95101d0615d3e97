// Reading what /metrics says.
import type { Metrics } from '../../src/metrics/metrics.ts'

export interface Exposition {
  /** The value of one series, as text says it: `name{label="value"}`; undefined where there is none. */
  value(series: string): number | undefined
  /** The name of each metric with its type. */
  readonly types: ReadonlyMap<string, string>
  readonly help: ReadonlyMap<string, string>
  readonly series: readonly string[]
}

export function parseExposition(text: string): Exposition {
  const samples = new Map<string, number>()
  const types = new Map<string, string>()
  const help = new Map<string, string>()
  for (const line of text.split('\n').filter(Boolean)) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (kind === 'HELP') help.set(name, rest)
    else if (kind === 'TYPE') types.set(name, rest)
    else samples.set(line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1)))
  }
  return { value: series => samples.get(series), types, help, series: [...samples.keys()] }
}

export async function scrape(metrics: Pick<Metrics, 'render'>): Promise<Exposition> {
  return parseExposition((await metrics.render()).text)
}
