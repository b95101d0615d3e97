// The same question again and again, into a pipe and onto a terminal that remembers what was written.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { type Block, watch } from '../../src/cli/watch.ts'

/** Asks until there is no further block, and gives all that was written. */
async function run(blocks: readonly Block[], terminal?: { readonly rows: number; readonly columns: number }): Promise<string> {
  const stop = new AbortController()
  const written: string[] = []
  const output = Object.assign(new EventEmitter(), {
    isTTY: terminal !== undefined,
    ...terminal,
    write: (text: string) => {
      written.push(text)
      return true
    },
  }) as unknown as NodeJS.WriteStream
  const queue = [...blocks]
  const ask = async (): Promise<Block> => {
    const next = queue.shift()
    if (next === undefined) stop.abort()
    return next ?? { text: 'never shown', failed: false }
  }
  await watch({ ask, everyMs: 1, output, signal: stop.signal })
  assert.equal(output.listenerCount('resize'), 0)
  return written.join('')
}

const told = (text: string): Block => ({ text, failed: false })
const failed = (text: string): Block => ({ text, failed: true })
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them.
const withoutClearing = (text: string): string => text.replace(/\u001b\[[KJ]/g, '')
const frames = (text: string): readonly string[] => withoutClearing(text).split('\u001b[H').slice(1)

describe('watching', () => {
  it('prints one block after another into a pipe, failures too', async () => {
    assert.equal(await run([told('a\n'), failed('away\n'), told('b\n')]), 'a\n\naway\n\nb\n')
  })

  it('prints nothing for what was said elsewhere', async () => {
    assert.equal(await run([failed(''), told('{}\n'), failed(''), told('{}\n')]), '{}\n\n{}\n')
  })

  it('redraws in place on a terminal, and leaves the last block when it ends', async () => {
    const text = await run([told('a\n'), told('b\n')], { rows: 10, columns: 80 })
    assert.ok(text.startsWith('\u001b[?1049h\u001b[?25l'))
    const [first, second] = frames(text)
    assert.equal(first, 'a\n')
    assert.equal(second, 'b\n\u001b[?25h\u001b[?1049lb\n')
  })

  it('keeps what was told last on the screen while nothing can be told', async () => {
    const [, second] = frames(await run([told('a\n'), failed('away\n')], { rows: 10, columns: 80 }))
    assert.ok(second?.startsWith('away\n\na\n'))
  })

  it('shows as many lines as fit, long ones counted as they wrap', async () => {
    const text = `${'x'.repeat(25)}\n${Array.from({ length: 9 }, (_, index) => `line ${index}\n`).join('')}`
    const [only] = frames(await run([told(text)], { rows: 8, columns: 10 }))
    const [frame = ''] = only?.split('\u001b[?25h') ?? []
    assert.deepEqual(frame.split('\n'), ['x'.repeat(25), 'line 0', 'line 1', 'line 2', '... and 6 more lines than fit here'])
  })
})
