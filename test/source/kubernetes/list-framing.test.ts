import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readList } from '../../../src/source/kubernetes/list-framing.ts'
import { inPieces, rejectsWith } from './support/streams.ts'

async function read(text: string, cuts: readonly number[] = [], limitBytes?: number) {
  const items: unknown[] = []
  const fields: Record<string, unknown> = {}
  const field = (name: string, value: unknown) => {
    fields[name] = value
  }
  await readList(inPieces(Buffer.from(text), cuts), { item: value => items.push(value), field }, limitBytes)
  return { items, fields }
}

describe('a list document', () => {
  it('gives the items and fields that JSON.parse gives, wherever it is cut and however it is spaced', async () => {
    const list = fc.record({
      kind: fc.string({ unit: 'grapheme' }),
      metadata: fc.jsonValue(),
      items: fc.array(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue())),
      itemsToo: fc.jsonValue(),
    })
    await fc.assert(
      fc.asyncProperty(list, fc.constantFrom(0, 1), fc.array(fc.nat(64)), async (value, spaces, cuts) => {
        const text = JSON.stringify(value, null, spaces)
        const { items, ...fields } = JSON.parse(text)
        assert.deepEqual(await read(text, cuts), { items, fields })
      }),
    )
  })

  const rows = [
    ['a list with no items', '{"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[]}', []],
    ['a list whose items are null, as Go writes an empty one', '{"items":null,"metadata":{}}', []],
    [
      'brackets, commas and quotes inside text',
      '{"items":[{"a":"]}{[,\\"items\\":[\\\\"}],"metadata":{}}',
      [{ a: ']}{[,"items":[\\' }],
    ],
    ['metadata before and after the items', '{"metadata":{"items":[1]},"items":[1,2],"kind":"x"}', [1, 2]],
  ] as const
  for (const [title, text, items] of rows) {
    it(`may be ${title}`, async () => {
      assert.deepEqual((await read(text)).items, items)
    })
  }

  it('is an error where it is cut off', async () => {
    const text = '{"metadata":{},"items":[{"a":1},{"b":2}]}'
    for (let length = 1; length < text.length; length += 1) await rejectsWith('cut off', () => read(text.slice(0, length)))
  })

  it('is an error where it is no list', async () => {
    await rejectsWith('malformed', () => read('<html>bad gateway</html>'))
    await rejectsWith('malformed', () => read(''))
    await rejectsWith('malformed', () => read('{"items":[{"a":}]}'))
  })

  it('holds no item that is longer than the limit', async () => {
    await rejectsWith('too long', () => read(`{"items":[{"a":"${'x'.repeat(100)}"}]}`, [], 64))
    await rejectsWith('too long', () => read(`{"items":[{"a":"${'x'.repeat(100)}"}]}`, [50, 50], 64))
    assert.equal((await read(`{"items":[${'{"a":1},'.repeat(1000)}{}]}`, [], 64)).items.length, 1001)
  })
})
