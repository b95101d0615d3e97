import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventName, eventObject, type Note, namespaceOf, noteKey, seriesPatch } from '../../src/events/note.ts'

const onNode: Note = {
  regarding: { kind: 'Node', name: 'node1' },
  type: 'Normal',
  reason: 'Starting',
  action: 'Start',
  note: 'Switchyard starts',
}
const onService: Note = {
  regarding: { kind: 'Service', namespace: 'shop', name: 'web', uid: 'u-1' },
  type: 'Warning',
  reason: 'ServiceQuarantined',
  action: 'Program',
  note: 'the kernel refuses it',
}
const options = { name: 'x.1', time: Date.parse('2026-08-02T12:00:00.123Z'), nodeName: 'node1' }

describe('an Event', () => {
  it('about a Node goes to the default namespace and by the name of the Node as uid', () => {
    assert.equal(namespaceOf(onNode), 'default')
    assert.deepEqual(eventObject(onNode, options), {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'x.1', namespace: 'default' },
      eventTime: '2026-08-02T12:00:00.123000Z',
      reportingController: 'switchyard',
      reportingInstance: 'node1',
      action: 'Start',
      reason: 'Starting',
      regarding: { apiVersion: 'v1', kind: 'Node', name: 'node1', uid: 'node1' },
      note: 'Switchyard starts',
      type: 'Normal',
    })
  })

  it('about a Service goes to its namespace, with its uid', () => {
    const event = eventObject(onService, options) as Record<string, unknown>
    assert.deepEqual(event['metadata'], { name: 'x.1', namespace: 'shop' })
    assert.deepEqual(event['regarding'], { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web', uid: 'u-1' })
  })

  it('about a Service that is gone has no uid', () => {
    const gone: Note = { ...onService, regarding: { kind: 'Service', namespace: 'shop', name: 'web', uid: '' } }
    const event = eventObject(gone, options) as { readonly regarding: object }
    assert.ok(!('uid' in event.regarding))
  })

  it('is cut to what the API server takes, at a whole character', () => {
    const long = eventObject(
      { ...onNode, note: `${'x'.repeat(1019)}äöü`, action: 'a'.repeat(200) },
      { ...options, nodeName: 'n'.repeat(253) },
    )
    const { note, action, reportingInstance } = long as Record<string, string>
    assert.equal(note, `${'x'.repeat(1019)}ä...`)
    assert.deepEqual([Buffer.byteLength(note), action?.length, reportingInstance?.length], [1024, 128, 128])
    const exact = eventObject({ ...onNode, note: 'y'.repeat(1024) }, options) as Record<string, string>
    assert.equal(exact['note'], 'y'.repeat(1024))
  })

  it('is named after what it is about', () => {
    assert.equal(eventName(onService, '0123abcd'), 'web.0123abcd')
    const name = eventName({ ...onNode, regarding: { kind: 'Node', name: `${'a'.repeat(243)}.b` } }, '0123abcd')
    assert.equal(name, `${'a'.repeat(243)}.0123abcd`)
  })

  it('happens again as a series', () => {
    assert.deepEqual(seriesPatch({ count: 3, lastObserved: options.time }), {
      series: { count: 3, lastObservedTime: '2026-08-02T12:00:00.123000Z' },
    })
  })
})

describe('two notes', () => {
  const differences: readonly Partial<Note>[] = [
    { type: 'Normal' },
    { reason: 'Other' },
    { action: 'Other' },
    { note: 'other' },
    { regarding: { kind: 'Service', namespace: 'shop', name: 'web', uid: 'u-2' } },
    { regarding: { kind: 'Service', namespace: 'shop', name: 'api', uid: 'u-1' } },
    { regarding: { kind: 'Node', name: 'web' } },
  ]

  it('are the same Event where everything is the same', () => assert.equal(noteKey(onService), noteKey({ ...onService })))
  for (const difference of differences) {
    it(`are not where ${Object.keys(difference).join()} differs: ${JSON.stringify(difference)}`, () =>
      assert.notEqual(noteKey({ ...onService, ...difference }), noteKey(onService)))
  }
})
