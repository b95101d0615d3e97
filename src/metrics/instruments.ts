// Definitions → prom-client's counters, gauges and histograms in one registry, with a series for every known label value from the
// start: a rate over a counter that appears with its first increment misses that increment.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { MetricDefinition, MetricDefinitions } from './definition.ts'

type Instrument<D extends MetricDefinition> = D['type'] extends 'counter'
  ? Counter<D['labels'][number]>
  : D['type'] extends 'gauge'
    ? Gauge<D['labels'][number]>
    : Histogram<D['labels'][number]>

export type Instruments<Definitions extends MetricDefinitions> = {
  readonly [Name in keyof Definitions]: Instrument<Definitions[Name]>
}

/** All values that a label can have. A metric with a label that is not here has no series before it is first used. */
export type KnownLabelValues = Readonly<Record<string, readonly string[]>>

export function createInstruments<Definitions extends MetricDefinitions>(
  definitions: Definitions,
  { registry, known }: { readonly registry: Registry; readonly known: KnownLabelValues },
): Instruments<Definitions> {
  const instruments = Object.entries(definitions).map(([key, definition]) => {
    const instrument = createInstrument(definition, registry)
    for (const labels of combinations(definition.labels, known)) zero(instrument, labels)
    return [key, instrument]
  })
  return Object.fromEntries(instruments) as Instruments<Definitions>
}

function createInstrument(definition: MetricDefinition, registry: Registry): Counter | Gauge | Histogram {
  const { name, help } = definition
  const common = { name, help, labelNames: [...definition.labels], registers: [registry] }
  switch (definition.type) {
    case 'counter':
      return new Counter(common)
    case 'gauge':
      return new Gauge(common)
    case 'histogram':
      return new Histogram({ ...common, buckets: [...definition.buckets] })
  }
}

function zero(instrument: Counter | Gauge | Histogram, labels: Record<string, string>): void {
  if (instrument instanceof Counter) instrument.inc(labels, 0)
  else if (instrument instanceof Gauge) instrument.set(labels, 0)
  else instrument.zero(labels)
}

/** One record for each combination; none where a label's values are not known. */
function combinations(labels: readonly string[], known: KnownLabelValues): readonly Record<string, string>[] {
  return labels.reduce<readonly Record<string, string>[]>(
    (soFar, label) => soFar.flatMap(record => (known[label] ?? []).map(value => ({ ...record, [label]: value }))),
    [{}],
  )
}
