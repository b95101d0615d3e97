// The page of a real daemon: it follows what the daemon follows, tells what the kernel holds, and is only for this node unless it is opened.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { connectNamespaces, fetchInside } from '../../server/in-namespace.ts'
import { startBrowser } from '../../support/browser.ts'
import { createNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createNamespace } from '../../support/namespace.ts'

it('follows the manifests, is only for this node unless it is opened, and needs nothing else', async () => {
  await using node = await createNode('page')
  await using outside = await createNamespace('page-outside')
  await connectNamespaces([
    { namespace: node.namespace, address: '198.18.0.1' },
    { namespace: outside.name, address: '198.18.0.2' },
  ])
  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 10, endpoints: ['10.244.1.1'] }))
  const starting = startBrowser({ namespace: node.namespace })
  await using switchyard = await startSwitchyard({ node, config: { metricsBindAddress: '0.0.0.0:20249' } })
  await switchyard.waitForSync()
  await using browser = await starting
  const { page, complaints, requests } = await browser.open()
  await page.goto('http://localhost:20249/')
  await page.locator('.facts').getByText('1 endpoint in 1 slice').waitFor()
  await switchyard.put('web.yaml', web({ name: 'web', number: 10, endpoints: ['10.244.1.1', '10.244.1.2'] }))
  await page.locator('.facts').getByText('2 endpoints in 1 slice').waitFor()
  assert.deepEqual(complaints, [])
  assert.ok(requests.every(url => url.startsWith('http://localhost:20249/')))

  const status = async (namespace: string, url: string): Promise<unknown> => {
    const answered = await fetchInside(namespace, url)
    return 'status' in answered ? answered.status : answered.error
  }
  const [toPage, toStatus, toMetrics] = await Promise.all(
    ['', 'switchyard/v1/status', 'metrics'].map(path => status(outside.name, `http://198.18.0.1:20249/${path}`)),
  )
  assert.deepEqual([toPage, toStatus, toMetrics], [403, 403, 200])
  assert.equal(await status(node.namespace, 'http://198.18.0.1:20249/'), 200)
  assert.equal(await switchyard.stop(), 'code 0')
})
