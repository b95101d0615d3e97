import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeObject } from '../../../src/source/decode.ts'
import type { ApiClient } from '../../../src/source/kubernetes/client.ts'
import { runList } from '../../../src/source/kubernetes/list-read.ts'
import { createObjectIndex } from '../../../src/source/kubernetes/object-index.ts'
import { services } from '../../../src/source/kubernetes/resources.ts'
import { defaultTiming } from '../../../src/source/kubernetes/timing.ts'
import { manualClock } from './support/clocks.ts'
import { service } from './support/objects.ts'
import { inPieces } from './support/streams.ts'

const never = new AbortController().signal

/** Reads a list whose pages are these bodies, over an index that knows one Service; gives the outcome and what is left. */
async function read(...bodies: readonly string[]) {
  const index = createObjectIndex({ resource: services, decode: decodeObject, report: () => undefined })
  const known = { ...service('known'), metadata: { name: 'known', namespace: 'default', uid: 'u' } }
  index.put(index.read({ raw: known, uid: 'u', resourceVersion: '1' }))
  const pages = bodies.values()
  const client: ApiClient = {
    server: 'http://server',
    open: async () => inPieces(Buffer.from(pages.next().value ?? ''), []),
    send: () => assert.fail('only lists are asked for'),
    refusal: () => assert.fail('nothing is refused'),
    refreshCredentials: () => assert.fail('the credentials are good'),
    close: async () => undefined,
  }
  const listener = { opened: () => undefined, listed: () => undefined, took: () => undefined, ready: async () => undefined }
  const outcome = await runList(
    { doing: 'list', notOlderThan: '' },
    {
      client,
      query: { resource: services, withoutFieldSelector: false },
      index,
      clock: manualClock(),
      random: () => 0,
      timing: defaultTiming,
      version: '1',
      listener,
    },
    never,
  )
  return { outcome: outcome.outcome === 'failed' ? outcome.failure.kind : outcome, objects: index.size() }
}

describe('a list that is read', () => {
  it('replaces what is known, over all its pages', async () => {
    const item = (name: string) => ({
      metadata: { name, namespace: 'default', uid: name, resourceVersion: '7' },
      spec: { clusterIP: '10.96.0.1', ports: [{ port: 80 }] },
    })
    const first = { kind: 'ServiceList', metadata: { resourceVersion: '9', continue: 'more' }, items: [item('a'), item('b')] }
    const second = { kind: 'ServiceList', metadata: { resourceVersion: '9' }, items: [item('c')] }
    assert.deepEqual(await read(JSON.stringify(first), JSON.stringify(second)), {
      outcome: { outcome: 'read', version: '9' },
      objects: 3,
    })
  })

  it('may be empty', async () => {
    assert.equal((await read('{"kind":"ServiceList","metadata":{"resourceVersion":"9"},"items":null}')).objects, 0)
    assert.equal((await read('{"kind":"ServiceList","metadata":{"resourceVersion":"9"},"items":[]}')).objects, 0)
  })

  const faults = [
    ['{}', 'malformed'],
    ['{"kind":"Status","metadata":{"resourceVersion":"9"}}', 'malformed'],
    ['{"kind":"NodeList","metadata":{"resourceVersion":"9"},"items":[]}', 'malformed'],
    ['{"kind":"ServiceList","metadata":{},"items":[]}', 'malformed'],
    ['{"kind":"ServiceList","metadata":{"resourceVersion":"9"},"items":[1]}', 'malformed'],
    ['{"kind":"ServiceList","metadata":{"resourceVersion":"9"},"items":[', 'cut off'],
    ['<html></html>', 'malformed'],
    ['', 'malformed'],
  ] as const
  for (const [body, kind] of faults) {
    it(`changes nothing where the answer is ${body || 'empty'}`, async () => {
      assert.deepEqual(await read(body), { outcome: kind, objects: 1 })
    })
  }
})
