// Text that is kept for long, in memory of its own. V8 represents a part of a text as a view of the whole and a text that was put together as the
// list of its parts: a name of 25 characters can hold a file of 50 MB, or take four times its size. Kept a hundred thousand times, that counts.

// Names and addresses are short; a buffer for each copy would cost more than the copy.
const scratch = Buffer.alloc(2048)
const mostBytesPerCharacter = 3

/** The same text, in one piece that shares nothing. */
export function copyText<Text extends string>(text: Text): Text {
  if (text.length * mostBytesPerCharacter > scratch.length) return Buffer.from(text, 'utf8').toString('utf8') as Text
  return scratch.toString('utf8', 0, scratch.write(text, 0, 'utf8')) as Text
}
