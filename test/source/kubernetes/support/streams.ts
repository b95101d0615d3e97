// Byte streams for tests, and what goes wrong with them.
import assert from 'node:assert/strict'
import { type StreamFailure, StreamFault } from '../../../../src/source/kubernetes/failure.ts'

/** The bytes in pieces of these lengths (none for 0), the rest in one. */
export async function* inPieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0
  for (const length of lengths) {
    if (start >= bytes.length) return
    if (length > 0) yield bytes.subarray(start, start + length)
    start += length
  }
  if (start < bytes.length) yield bytes.subarray(start)
}

export async function rejectsWith(kind: StreamFailure, action: () => Promise<unknown>): Promise<void> {
  await assert.rejects(action, error => error instanceof StreamFault && error.kind === kind)
}
