// Bytes as the network cuts them → lines of text. Splits on bytes, so a character that is cut in two by a chunk border
// comes out whole. Invariants: nothing is lost or doubled over chunk borders, a line is never longer than the limit in memory,
// and text that is not UTF-8 is an error, not a replacement character.
import { StreamFault } from './failure.ts'

const newline = 0x0a

/** An object is at most 1.5 MB in etcd by default; JSON of it may be a few times longer. */
export const longestLine = 16 * 1024 * 1024

/**
 * The lines that each chunk completes, without their newline, chunk by chunk; empty lines are left out. Reads the next chunk
 * only when asked for the next lines. Throws StreamFault `too long` or `malformed`, or `cut off` where the input ends inside a line.
 */
export async function* lines(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number = longestLine,
): AsyncGenerator<readonly string[], void, undefined> {
  let pieces: Uint8Array[] = []
  let held = 0
  for await (const chunk of chunks) {
    const complete: string[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      pieces.push(chunk.subarray(start, end))
      checkLength(held + end - start, limitBytes)
      const text = decodeText(pieces)
      if (text !== '') complete.push(text)
      pieces = []
      held = 0
      start = end + 1
    }
    if (start < chunk.length) {
      pieces.push(chunk.subarray(start))
      held += chunk.length - start
      checkLength(held, limitBytes)
    }
    if (complete.length > 0) yield complete
  }
  if (held > 0) throw new StreamFault('cut off', `the stream ended inside a line, ${held} bytes after its start`)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 in pieces → text. Throws StreamFault `malformed`. */
export function decodeText(pieces: readonly Uint8Array[]): string {
  const [only] = pieces
  try {
    return decoder.decode(pieces.length === 1 ? only : Buffer.concat(pieces))
  } catch (error) {
    throw new StreamFault('malformed', 'the stream has bytes that are not UTF-8', error)
  }
}

export function checkLength(bytes: number, limitBytes: number): void {
  if (bytes > limitBytes) throw new StreamFault('too long', `one object is longer than ${limitBytes} bytes`)
}
