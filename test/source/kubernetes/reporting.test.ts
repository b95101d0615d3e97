import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FailureKind } from '../../../src/source/kubernetes/failure.ts'
import { reportFailures } from '../../../src/source/kubernetes/reporting.ts'
import { createKubernetesSourceEmitter } from '../../../src/source/kubernetes/source-events.ts'
import type { SourceProblem } from '../../../src/source/source.ts'

function start() {
  const events = createKubernetesSourceEmitter()
  const told: SourceProblem[] = []
  reportFailures(events, problem => told.push(problem))
  const inARow = new Map<string, number>()
  return {
    brief: () => told.map(({ severity, where }) => `${severity} ${where}`),
    fail(resource: string, kind: FailureKind, synced = true) {
      const failures = (inARow.get(resource) ?? 0) + 1
      inARow.set(resource, failures)
      const failure = { kind, message: `${resource} ${kind}`, advice: 'do', retryAfterMs: undefined }
      events.emit('failed', { resource, failure, failures, synced, next: { doing: 'list', notOlderThan: '' } })
    },
    recover(resource: string) {
      inARow.delete(resource)
      events.emit('recovered', { resource, milliseconds: 1000 })
    },
  }
}

describe('what the operator is told of failures', () => {
  it('is nothing where a connection broke and is back', () => {
    const { fail, recover, brief } = start()
    for (let times = 0; times < 10; times += 1) {
      fail('services', 'network')
      fail('services', 'cut off')
      recover('services')
    }
    assert.deepEqual(brief(), [])
  })

  it('is an outage, once for the server, and its end', () => {
    const { fail, recover, brief } = start()
    for (let times = 0; times < 20; times += 1) {
      fail('services', 'network')
      fail('endpointslices', 'network')
    }
    assert.deepEqual(brief(), ['warning watch of services'])
    recover('services')
    assert.equal(brief().length, 1, 'not over as long as one resource is not followed')
    recover('endpointslices')
    assert.deepEqual(brief(), ['warning watch of services', 'info watch of endpointslices'])
  })

  it('is a refusal at once, for each resource', () => {
    const { fail, brief } = start()
    fail('services', 'forbidden')
    fail('nodes', 'forbidden')
    fail('services', 'forbidden')
    assert.deepEqual(brief(), ['error watch of services', 'error watch of nodes'])
  })

  it('is sooner said before the first complete read', () => {
    const { fail, brief } = start()
    fail('services', 'network', false)
    assert.deepEqual(brief(), [])
    fail('services', 'network', false)
    assert.deepEqual(brief(), ['warning watch of services'])
  })

  it('is a 401 only where loading the credentials again did not help', () => {
    const { fail, recover, brief } = start()
    fail('services', 'unauthorized', false)
    recover('services')
    assert.deepEqual(brief(), [])
    fail('services', 'unauthorized', false)
    fail('services', 'unauthorized', false)
    assert.deepEqual(brief(), ['error watch of services'])
  })

  it('is nothing of what belongs to the protocol', () => {
    const { fail, brief } = start()
    for (const kind of ['expired', 'version too new', 'stream refused', 'no end bookmark', 'selector rejected'] as const) {
      for (let times = 0; times < 5; times += 1) fail('services', kind, false)
    }
    assert.deepEqual(brief(), [])
  })
})
