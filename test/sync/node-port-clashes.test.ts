// Node ports of several Services: when a clash is news, and what each Service says of it.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Protocol, Service } from '../../src/model/objects.ts'
import { NodePortClashes } from '../../src/sync/node-port-clashes.ts'
import { gone, put, service } from '../support/cluster.ts'

const asking = (name: string, nodePort: number, protocol: Protocol = 'TCP', fields: Partial<Service> = {}): Service =>
  service({ type: 'NodePort', ports: [{ name: '', protocol, port: 80, nodePort }], ...fields, name } as never)

it('names the Services of one node port, as long as there are several', () => {
  const clashes = new NodePortClashes()
  const [a, b, c] = [asking('a', 30_080), asking('b', 30_080), asking('c', 30_080, 'UDP')]
  assert.deepEqual(clashes.apply([put(a), put(c)]), [])
  assert.match(
    clashes.apply([put(b)]).join(),
    /^node port 30080\/TCP is asked for by Services default\/a, default\/b: connections go to one/,
  )
  assert.deepEqual(clashes.apply([put(b)]), [], 'no news')
  assert.match(clashes.remarks(a).join(), /^node port 30080\/TCP is asked for by default\/b too/)
  assert.deepEqual(clashes.remarks(c), [], 'another protocol is another port')
  assert.deepEqual(clashes.apply([put(asking('b', 30_081))]), [])
  assert.deepEqual([clashes.remarks(a), clashes.remarks(b)], [[], []])
  clashes.apply([put(b), gone(a)])
  assert.deepEqual(clashes.remarks(b), [])
})

it('leaves out Services of another proxy', () => {
  const clashes = new NodePortClashes()
  assert.deepEqual(clashes.apply([put(asking('a', 30_080)), put(asking('b', 30_080, 'TCP', { serviceProxyName: 'other' }))]), [])
})
