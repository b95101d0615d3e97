import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressLines, linkLines, namespacesOf, planLab } from './network-plan.ts'

const plan = planLab({
  prefix: 'x-',
  nodes: [
    { name: 'node1', pods: ['a', 'b'] },
    { name: 'node2', pods: ['d'] },
  ],
})

test('addresses are those of the golden scenarios', () => {
  assert.deepEqual(
    plan.nodes.flatMap(node => [
      `${node.name} ${node.ipv4} ${node.ipv6}`,
      ...node.pods.map(pod => `${pod.name} ${pod.ipv4} ${pod.ipv6}`),
    ]),
    [
      'node1 10.200.1.2 fd00:200:1::2',
      'a 10.244.1.11 fd00:10:244:1::11',
      'b 10.244.1.12 fd00:10:244:1::12',
      'node2 10.200.1.3 fd00:200:1::3',
      'd 10.244.2.21 fd00:10:244:2::21',
    ],
  )
})

test('every namespace carries the prefix, and each one but the switch gets addresses for its own link', () => {
  const namespaces = namespacesOf(plan)
  assert.deepEqual(namespaces, ['x-network', 'x-client', 'x-node1', 'x-a', 'x-b', 'x-node2', 'x-d'])
  const addressed = addressLines(plan).filter(({ lines }) => lines.some(line => line.startsWith('addr add')))
  assert.deepEqual(new Set(addressed.map(({ namespace }) => namespace)), new Set(namespaces))
})

test('every link is made inside a namespace of the lab, and ends in another one', () => {
  const namespaces = namespacesOf(plan)
  for (const { namespace, lines } of linkLines(plan)) {
    assert(namespaces.includes(namespace))
    for (const line of lines.filter(each => each.includes('type veth'))) {
      assert(namespaces.includes(line.split(' netns ')[1] ?? ''), line)
    }
  }
})

test('two things of one name, and a name that is too long for a link, are refused', () => {
  const nodes = (...pods: string[]) => ({ prefix: '', nodes: [{ name: 'node1', pods }] })
  assert.throws(() => planLab(nodes('a', 'a')), /two things would be called a/)
  assert.throws(() => planLab(nodes('node1')), /two things would be called node1/)
  assert.throws(() => planLab(nodes('client')), /two things would be called client/)
  assert.throws(() => planLab(nodes('a-very-long-name')), /a-very-long-name is longer than 10/)
})
