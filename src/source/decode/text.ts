// How a decoded object keeps text. Takes text from outside, gives text that shares nothing with what it came from.
// Invariant: no result keeps its source alive (see model/text.ts).

import { copyText } from '../../model/text.ts'

const mostShared = 20_000
const shared = new Map<string, string>()

/**
 * One copy for all: for what repeats from object to object (node names, zones, port names, namespaces).
 * The table starts afresh when it is full, so names that come and go for years do not pile up.
 */
export function shareText<Text extends string>(text: Text): Text {
  const known = shared.get(text)
  if (known !== undefined) return known as Text
  if (shared.size >= mostShared) shared.clear()
  const copy = copyText(text)
  shared.set(copy, copy)
  return copy
}
