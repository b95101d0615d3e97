import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeObject } from '../../../src/source/decode.ts'
import { createObjectIndex } from '../../../src/source/kubernetes/object-index.ts'
import { services } from '../../../src/source/kubernetes/resources.ts'
import type { ObjectChange, SourceProblem } from '../../../src/source/source.ts'
import { service } from './support/objects.ts'

interface Seen {
  readonly name: string
  readonly uid?: string
  readonly port?: number
  readonly version?: string
}

function start(decode: typeof decodeObject = decodeObject) {
  const problems: SourceProblem[] = []
  const index = createObjectIndex({ resource: services, decode, report: problem => problems.push(problem) })
  const read = ({ name, uid = 'u1', port = 80, version = '1' }: Seen) => {
    const object = service(name, { port })
    return index.read({ raw: { ...object, metadata: { ...object.metadata, uid } }, uid, resourceVersion: version })
  }
  return { index, problems, read, put: (seen: Seen) => index.put(read(seen)), remove: (seen: Seen) => index.remove(read(seen)) }
}

/** `web:80` for a Service with that port, `-web` for one that is gone. */
function brief(changes: readonly ObjectChange[]): readonly string[] {
  return changes.map(({ id, object }) => {
    const name = id.replace('Service default/', '')
    return object?.kind === 'Service' ? `${name}:${object.ports[0]?.port}` : `-${name}`
  })
}

describe('the index of one resource', () => {
  it('tells additions, changes and deletions', () => {
    const { put, remove } = start()
    assert.deepEqual(brief(put({ name: 'web' })), ['web:80'])
    assert.deepEqual(brief(put({ name: 'web', port: 81 })), ['web:81'])
    assert.deepEqual(brief(remove({ name: 'web' })), ['-web'])
    assert.deepEqual(brief(remove({ name: 'web' })), [])
  })

  it('tells nothing where nothing changed that matters', () => {
    const { put } = start()
    put({ name: 'web' })
    assert.deepEqual(put({ name: 'web', version: '2' }), [])
  })

  it('tells an object that was recreated under its name as a deletion and an addition, even if it looks the same', () => {
    const { put } = start()
    put({ name: 'web' })
    assert.deepEqual(brief(put({ name: 'web', uid: 'u2' })), ['-web', 'web:80'])
  })

  it('replaces everything at once, deletions first', () => {
    const { index, put, read } = start()
    for (const name of ['stays', 'goes', 'changes', 'recreated']) put({ name })
    const replacement = [
      read({ name: 'new' }),
      read({ name: 'stays' }),
      read({ name: 'changes', port: 81 }),
      read({ name: 'recreated', uid: 'u2' }),
    ]
    assert.deepEqual(brief(index.replace(replacement)), ['-goes', 'new:80', 'changes:81', '-recreated', 'recreated:80'])
    assert.equal(index.size(), 4)
    assert.deepEqual(brief(index.replace([])).toSorted(), ['-changes', '-new', '-recreated', '-stays'])
  })

  it('keeps the last good version of an object that cannot be read any more, and says so once', () => {
    const { index, put, problems } = start()
    put({ name: 'web' })
    assert.deepEqual([put({ name: 'web', port: 99_999 }), put({ name: 'web', port: 99_999, version: '3' })], [[], []])
    assert.equal(index.unreadable(), 0)
    assert.equal(problems.length, 1)
    assert.deepEqual([problems[0]?.severity, problems[0]?.where], ['error', 'Service default/web'])
    assert.match(problems[0]?.problem ?? '', /port is 99999/)
    put({ name: 'web', port: 99_998 })
    assert.equal(problems.length, 2, 'another fault is said as well')
    assert.deepEqual(brief(put({ name: 'web', port: 82 })), ['web:82'])
    put({ name: 'web', port: 99_998 })
    assert.equal(problems.length, 3, 'the same fault is said again after the object was well')
  })

  it('counts objects that could never be read, until they can be or are gone', () => {
    const { index, put, remove } = start()
    assert.deepEqual(put({ name: 'a', port: 0 }), [])
    assert.deepEqual(put({ name: 'b', port: 0 }), [])
    assert.equal(index.unreadable(), 2)
    assert.deepEqual(
      index.unread().map(({ id, kept }) => [id, kept]),
      [
        ['Service default/a', false],
        ['Service default/b', false],
      ],
    )
    assert.deepEqual(brief(put({ name: 'a' })), ['a:80'])
    assert.equal(index.unreadable(), 1)
    assert.deepEqual(remove({ name: 'b' }), [])
    assert.deepEqual([index.unreadable(), index.size(), index.unread()], [0, 1, []])
    put({ name: 'a', port: 0 })
    const [unread, ...others] = index.unread()
    assert.deepEqual([unread?.kept, unread?.where, others], [true, 'Service default/a', []])
    assert.match(unread?.problem ?? '', /port is 0/)
  })

  it('does not keep the old object for a new one of its name that cannot be read', () => {
    const { index, put } = start()
    put({ name: 'web' })
    assert.deepEqual(brief(put({ name: 'web', uid: 'u2', port: 0 })), ['-web'])
    assert.equal(index.unreadable(), 1)
    assert.deepEqual(index.replace([]), [])
    assert.equal(index.unreadable(), 0)
  })

  it('loses one object, not all, to a decoder that throws', () => {
    const { index, put, problems } = start((value, type) => {
      if (JSON.stringify(value).includes('"poison"')) throw new TypeError('surprise')
      return decodeObject(value, type)
    })
    assert.deepEqual([put({ name: 'poison' }), brief(put({ name: 'web' }))], [[], ['web:80']])
    assert.equal(index.unreadable(), 1)
    assert.match(problems[0]?.problem ?? '', /surprise/)
    assert.equal(problems[0]?.where, 'Service default/poison')
  })

  it('drops an object that turns into one that is not followed', () => {
    const { index, put } = start((value, type) => {
      const decoded = decodeObject(value, type)
      if (decoded.outcome !== 'decoded' || !JSON.stringify(value).includes('81')) return decoded
      const why = { notFollowed: 'object', severity: 'info', reason: 'another proxy has it', advice: '' } as const
      return { outcome: 'ignored', id: decoded.id, name: decoded.id, why }
    })
    put({ name: 'web' })
    assert.deepEqual(brief(put({ name: 'web', port: 81 })), ['-web'])
    assert.equal(index.unreadable(), 0)
  })
})
