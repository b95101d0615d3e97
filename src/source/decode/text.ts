// How a decoded object keeps text. Takes text from outside, gives text that shares nothing with what it came from.
// Invariant: no result keeps its source alive. V8 represents a part of a text as a view of the whole, so one name cut out
// of a file of 50 MB would hold all of them.

const mostShared = 20_000
const shared = new Map<string, string>()

// Names and addresses are short; a buffer for each copy would cost more than the copy.
const scratch = Buffer.alloc(1024)
const mostBytesPerCharacter = 3

/** The same text in memory of its own. */
export function copyText<Text extends string>(text: Text): Text {
  if (text.length * mostBytesPerCharacter > scratch.length) return Buffer.from(text, 'utf8').toString('utf8') as Text
  return scratch.toString('utf8', 0, scratch.write(text, 0, 'utf8')) as Text
}

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
