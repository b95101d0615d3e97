import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { lines } from '../../../src/source/kubernetes/line-framing.ts'
import { inPieces, rejectsWith } from './support/streams.ts'

async function collect(chunks: AsyncIterable<Uint8Array>, limitBytes?: number): Promise<readonly string[]> {
  const found: string[] = []
  for await (const batch of lines(chunks, limitBytes)) found.push(...batch)
  return found
}

describe('lines of a byte stream', () => {
  it('come out whole wherever the network cuts the bytes, also inside a character', async () => {
    const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter(text => !text.includes('\n'))
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat(64)), async (texts, cuts) => {
        const bytes = Buffer.from(texts.map(text => `${text}\n`).join(''))
        assert.deepEqual(await collect(inPieces(bytes, cuts)), texts)
      }),
    )
  })

  it('come in batches, one for each chunk that completes any', async () => {
    const batches: (readonly string[])[] = []
    for await (const batch of lines(inPieces(Buffer.from('a\nb\nc\nd'.concat('\n')), [5, 1]))) batches.push(batch)
    assert.deepEqual(batches, [['a', 'b'], ['c'], ['d']])
  })

  it('are not longer than the limit, however they are cut', async () => {
    await rejectsWith('too long', () => collect(inPieces(Buffer.from(`${'x'.repeat(20)}\n`), []), 19))
    await rejectsWith('too long', () => collect(inPieces(Buffer.from('x'.repeat(20)), [7, 7, 6]), 19))
    assert.deepEqual(await collect(inPieces(Buffer.from(`${'x'.repeat(19)}\n`), [7, 7, 6]), 19), ['x'.repeat(19)])
  })

  it('end with an error where the stream ends inside one', async () => {
    await rejectsWith('cut off', () => collect(inPieces(Buffer.from('whole\nhal'), [3])))
  })

  it('are refused where they are not UTF-8', async () => {
    await rejectsWith('malformed', () => collect(inPieces(Buffer.from([0x61, 0xff, 0x0a]), [])))
  })

  it('are read no faster than they are taken', async () => {
    let given = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        given += 1
        yield Buffer.from('line\n')
      }
    }
    const reading = lines(endless())
    await reading.next()
    await reading.next()
    assert.equal(given, 2)
    await reading.return()
  })
})
