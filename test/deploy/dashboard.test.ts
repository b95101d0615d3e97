// The Grafana dashboard asks only for series that the agent serves, by labels that they have.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts'
import { buildOne, deployFolder } from './kustomize.ts'

interface Panel {
  readonly id: number
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[]
}

describe('the dashboard', () => {
  let panels: readonly Panel[]
  let metrics: Metrics
  /** Series → the names of its labels. */
  let served: ReadonlyMap<string, ReadonlySet<string>>

  before(async () => {
    panels = JSON.parse(await readFile(join(deployFolder, 'grafana/switchyard.json'), 'utf8')).panels
    metrics = createMetrics({ families: ['IPv4', 'IPv6'], resources: ['services'] })
    // Kinds of failure are known only when one happens.
    metrics.own.watchFailures.inc({ resource: 'services', kind: 'network' })
    served = seriesOf((await metrics.render()).text)
  })
  after(() => metrics.close())

  test('asks for series that there are', () => {
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const names = metricNames(expr)
        assert.notEqual(names.length, 0, `${title} asks for nothing: ${expr}`)
        for (const name of names) assert.ok(served.has(name), `${title}: there is no ${name}`)
      }
    }
  })

  test('groups and names by labels that the series have, or that Prometheus adds', async () => {
    const monitor = JSON.stringify(await buildOne('overlays/pod-monitor', 'PodMonitor', 'switchyard'))
    const added = new Set([...monitor.matchAll(/"targetLabel":"(\w+)"/g)].map(([, label = '']) => label))
    assert.deepEqual([...added], ['node'])
    for (const { title, targets } of panels) {
      for (const { expr, legendFormat } of targets) {
        const labels = new Set(metricNames(expr).flatMap(name => [...(served.get(name) ?? [])])).union(added)
        for (const label of labelsUsed(expr, legendFormat)) assert.ok(labels.has(label), `${title}: no label ${label} in ${expr}`)
      }
    }
  })

  test('has panels that differ and do not overlap', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
    )
    assert.equal(new Set(cells).size, cells.length)
    assert.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24))
  })
})

function metricNames(expr: string): readonly string[] {
  return expr.match(/\b(?:kubeproxy|switchyard|process|nodejs)_\w+/g) ?? []
}

/** In `by (...)`, in selectors and in `{{...}}` of the legend. */
function labelsUsed(expr: string, legend: string): readonly string[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '))
  const selected = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label = '']) => label)
  const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
  return [...grouped, ...selected, ...shown]
}

/** From the text form of /metrics. */
function seriesOf(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const series = new Map<string, ReadonlySet<string>>()
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label)
    series.set(name, new Set(names).union(series.get(name) ?? new Set()))
  }
  return series
}
