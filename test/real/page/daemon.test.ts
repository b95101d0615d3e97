// The page of a real daemon: it follows what the daemon follows, tells what the kernel holds, and is only for this node unless it is opened.
import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { connectNamespaces, fetchInside } from '../../server/in-namespace.ts'
import { startBrowser } from '../../support/browser.ts'
import { createNode } from '../../support/daemon/node.ts'
import { type WebOptions, web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createNamespace } from '../../support/namespace.ts'

const [nodeAddress, outsideAddress] = ['198.18.0.1', '198.18.0.2']

const balanced = (endpoints: Pick<WebOptions, 'endpoints' | 'notReady'>) =>
  web({
    ...{ name: 'web', number: 10, loadBalancer: '192.0.2.80', ...endpoints },
    spec: {
      type: 'LoadBalancer',
      ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP', nodePort: 30080 }],
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 31080,
    },
  })

it('follows the manifests, traces in the kernel, and is only for this node unless it is opened', async () => {
  await using node = await createNode('page')
  await using outside = await createNamespace('page-outside')
  await connectNamespaces([
    { namespace: node.namespace, address: nodeAddress },
    { namespace: outside.name, address: outsideAddress },
  ])
  // As a node that can reach pods.
  await node.run(['sh', '-c', `echo 1 > /proc/sys/net/ipv4/ip_forward; ip route add default via ${outsideAddress}`])
  await putManifest(manifestsOf(node), 'web.yaml', balanced({ endpoints: ['10.244.1.1'] }))
  const reads = await countReads(node.directory)
  const starting = startBrowser({ namespace: node.namespace })
  const config = { metricsBindAddress: '0.0.0.0:20249', iptables: { syncPeriod: '1h' } }
  const path = `${reads.folder}:${process.env['PATH']}`
  await using switchyard = await startSwitchyard({ node, config, path, arguments: ['-v', '2'] })
  // The first check of each family comes soon after the start, and no other one reads rules in this hour.
  for (const family of ['IPv4', 'IPv6']) await switchyard.waitForLog(new RegExp(`^compared the ${family} rules`))
  await using browser = await starting
  const { page, complaints, requests } = await browser.open()
  await page.goto('http://localhost:20249/')
  await page.locator('.facts').getByText('1 endpoint in 1 slice').waitFor()
  const row = page.locator('.list tbody tr')
  assert.match(await row.innerText(), /^default\/web\s+LoadBalancer\s+10\.96\.0\.10/)

  await page.getByRole('link', { name: 'default/web' }).click()
  const drawn = (selector: string) => page.locator(`.picture ${selector} .title`).allTextContents()
  await page.locator('.picture .endpoint').first().waitFor()
  assert.deepEqual(await drawn('.endpoint'), ['10.244.1.1:8080'])
  assert.deepEqual(await drawn('.address'), ['10.96.0.10:80', '192.0.2.80:80', 'node:30080'])
  await switchyard.put('web.yaml', balanced({ endpoints: ['10.244.1.1', '10.244.1.2'], notReady: ['10.244.1.3'] }))
  await page.locator('.picture .other text').getByText('not ready').waitFor()
  assert.deepEqual(await drawn('.endpoint'), ['10.244.1.1:8080', '10.244.1.2:8080'])
  assert.deepEqual([...new Set(await page.locator('.picture .share').allTextContents())], ['50 %'])

  await page.getByRole('link', { name: 'Trace from outside to 192.0.2.80:80/TCP' }).click()
  await page.getByRole('heading', { name: 'Answered' }).waitFor()
  const answer = await page.locator('.answer').innerText()
  for (const words of ['default/web:http', 'KUBE-SVL-', '10.244.1.2:8080', '50 %', 'not ready'])
    assert.ok(answer.includes(words), words)
  const [begin, before] = [performance.now(), await reads.count()]
  for (let i = 0; i < 8; i += 1) {
    await page.getByRole('button', { name: 'Trace' }).click()
    await page.locator('.answer:not([aria-busy])').waitFor()
  }
  assert.ok(before > 0, 'reads are seen')
  const [count, seconds] = [(await reads.count()) - before, (performance.now() - begin) / 1000]
  assert.ok(count <= 2 * (1 + Math.ceil(seconds)), `${count} reads of both families in ${seconds} s`)
  assert.deepEqual(complaints, [])
  assert.ok(requests.every(url => url.startsWith('http://localhost:20249/')))

  const status = async (namespace: string, path: string): Promise<unknown> => {
    const answered = await fetchInside(namespace, `http://${nodeAddress}:20249/${path}`)
    return 'status' in answered ? answered.status : answered.error
  }
  const paths = ['', 'switchyard/v1/status', 'metrics']
  assert.deepEqual(await Promise.all(paths.map(path => status(outside.name, path))), [403, 403, 200])
  assert.equal(await status(node.namespace, ''), 200)
  assert.equal(await switchyard.stop(), 'code 0')
})

/** A folder for the front of a PATH, in which reading all rules leaves a mark. */
async function countReads(directory: string): Promise<{ readonly folder: string; count(): Promise<number> }> {
  const folder = join(directory, 'counted')
  const marks = join(directory, 'reads')
  await mkdir(folder)
  await writeFile(marks, '')
  for (const tool of ['iptables', 'ip6tables'].flatMap(name => [`${name}-nft-save`, `${name}-legacy-save`])) {
    await writeFile(join(folder, tool), `#!/bin/sh\necho ${tool} >> ${marks}\nexec /usr/sbin/${tool} "$@"\n`)
    await chmod(join(folder, tool), 0o755)
  }
  return { folder, count: async () => (await readFile(marks, 'utf8')).split('\n').length - 1 }
}
