import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StreamFault } from '../../../src/source/kubernetes/failure.ts'
import { isOlder, listMetadata, parseWatchEvent } from '../../../src/source/kubernetes/watch-event.ts'

const object = { kind: 'Service', metadata: { name: 'web', uid: 'u', resourceVersion: '7' } }

describe('a line of a watch', () => {
  it('is a change of an object, with what the bookkeeping needs', () => {
    for (const type of ['ADDED', 'MODIFIED', 'DELETED']) {
      const event = parseWatchEvent(JSON.stringify({ type, object }))
      assert.deepEqual(event, { type, object: { raw: object, resourceVersion: '7', uid: 'u' } })
    }
  })

  it('is a bookmark, which may end the initial events', () => {
    const bookmark = (annotations: unknown) =>
      parseWatchEvent(JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '7', annotations } } }))
    assert.deepEqual(bookmark(undefined), { type: 'BOOKMARK', resourceVersion: '7', endsInitialEvents: false })
    assert.deepEqual(bookmark(null), { type: 'BOOKMARK', resourceVersion: '7', endsInitialEvents: false })
    assert.deepEqual(bookmark({ 'k8s.io/initial-events-end': 'true' }), {
      type: 'BOOKMARK',
      resourceVersion: '7',
      endsInitialEvents: true,
    })
  })

  it('is an error with a Status, also one that says nothing', () => {
    const status = { code: 410, reason: 'Expired', message: 'too old' }
    const event = parseWatchEvent(JSON.stringify({ type: 'ERROR', object: status }))
    assert.deepEqual(event, { type: 'ERROR', status: { ...status, retryAfterSeconds: undefined, causes: [] } })
    const unsaid = parseWatchEvent('{"type":"ERROR"}')
    assert.equal(unsaid.type === 'ERROR' && unsaid.status.code, 500)
  })

  const malformed = [
    'not json',
    '{"type":"ADDED","object":{"metadata":{"resour',
    'null',
    '[]',
    '{}',
    '{"type":"MOVED","object":{}}',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{}}',
    '{"type":"ADDED","object":{"metadata":{"name":"web"}}}',
    '{"type":"ADDED","object":{"metadata":{"resourceVersion":7}}}',
    '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":""}}}',
  ]
  for (const line of malformed) {
    it(`is refused as ${line}`, () => {
      assert.throws(
        () => parseWatchEvent(line),
        error => error instanceof StreamFault && error.kind === 'malformed',
      )
    })
  }
})

describe('versions', () => {
  const rows = [
    ['9', '10', true],
    ['10', '9', false],
    ['10', '10', false],
    ['10', '11', true],
    ['99999999999999999998', '99999999999999999999', true],
    ['abc', '10', false],
    ['9', 'abc', false],
  ] as const
  for (const [version, than, older] of rows) {
    it(`${version} is ${older ? '' : 'not '}known to be older than ${than}`, () => {
      assert.equal(isOlder(version, than), older)
    })
  }

  it('of a list come with the token of its next page', () => {
    assert.deepEqual(listMetadata({ resourceVersion: '7' }), { resourceVersion: '7', continueToken: undefined })
    assert.deepEqual(listMetadata({ resourceVersion: '7', continue: '' }), { resourceVersion: '7', continueToken: undefined })
    assert.deepEqual(listMetadata({ resourceVersion: '7', continue: 'x' }), { resourceVersion: '7', continueToken: 'x' })
  })
})
