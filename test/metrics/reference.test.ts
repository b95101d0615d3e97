import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { kubeProxyMetrics } from '../../src/metrics/kube-proxy-metrics.ts'
import { switchyardMetrics } from '../../src/metrics/switchyard-metrics.ts'
import { page, withBlocks } from './reference-blocks.ts'

const markdown = readFileSync(page, 'utf8')

it('the tables of docs/metrics.md are those of the code', () => {
  assert.equal(markdown, withBlocks(markdown), 'write them by: node test/metrics/reference-blocks.ts')
})

it('docs/metrics.md names no metric that does not exist', () => {
  const names = Object.values({ ...kubeProxyMetrics, ...switchyardMetrics }).map(({ name }) => name as string)
  const named = markdown.match(/\b(kubeproxy|switchyard|rest_client)_[a-z_]+[a-z]\b/g) ?? []
  assert.ok(named.length > names.length)
  const unknown = named.filter(
    name => !names.includes(name) && name !== 'kubeproxy_iptables' && name !== 'kubeproxy_conntrack_reconciler',
  )
  assert.deepEqual(unknown, [])
})
