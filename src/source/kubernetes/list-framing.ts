// Bytes of a list document (`{"kind":"ServiceList","metadata":{...},"items":[{...},...]}`) → its items one by one, and
// what the list says of itself. A list of a large cluster is a hundred megabytes: neither its text nor its tree is ever in memory whole.
// Follows only strings and brackets; whether each part is JSON, JSON.parse says.
import { StreamFault } from './failure.ts'
import { checkLength, decodeText, longestLine } from './line-framing.ts'

export interface ListParts {
  /** Called for each item, in order. */
  readonly item: (value: unknown) => void
  /** Called for each other field of the list: `metadata`, `kind`. */
  readonly field: (name: string, value: unknown) => void
}

/** Reads to the end. Throws StreamFault: `malformed`, `too long` for one item, `cut off` where the document does not end. */
export async function readList(
  chunks: AsyncIterable<Uint8Array>,
  parts: ListParts,
  limitBytes: number = longestLine,
): Promise<void> {
  const nesting = createNesting()
  const part = createPart(limitBytes)
  let started = false
  for await (const chunk of chunks) {
    let start = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const border = nesting.next(chunk[at] ?? 0)
      if (border === undefined) continue
      const opensItems = border === 'field opens' && isItems(part.peek(chunk.subarray(start, at)))
      if (border === 'field opens' && !opensItems) continue
      if (opensItems) nesting.enterItems()
      started = true
      take(border, part.end(chunk.subarray(start, at)), parts)
      start = at + 1
    }
    if (nesting.inside()) part.hold(chunk.subarray(start))
  }
  if (!started) throw new StreamFault('malformed', 'the answer is no list')
  if (nesting.inside()) throw new StreamFault('cut off', 'the list ended before its last bracket')
}

/** What a byte is the border of; most are of nothing. */
type Border = 'list opens' | 'field opens' | 'field ends' | 'item ends'

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

interface Nesting {
  next(byte: number): Border | undefined
  /** The bracket that just opened is that of `items`. */
  enterItems(): void
  inside(): boolean
}

function createNesting(): Nesting {
  let depth = 0
  let inText = false
  let escaped = false
  let inItems = false

  return {
    next(byte) {
      if (inText) {
        if (escaped) escaped = false
        else if (byte === backslash) escaped = true
        else if (byte === quote) inText = false
        return undefined
      }
      switch (byte) {
        case quote:
          inText = true
          return undefined
        case openBrace:
        case openBracket:
          depth += 1
          if (depth === 1) return 'list opens'
          return depth === 2 && byte === openBracket && !inItems ? 'field opens' : undefined
        case comma:
          return atBorder()
        case closeBrace:
        case closeBracket: {
          const border = atBorder()
          depth -= 1
          if (depth === 1) inItems = false
          return border
        }
        default:
          return undefined
      }
    },
    enterItems() {
      inItems = true
    },
    inside: () => depth > 0,
  }

  function atBorder(): Border | undefined {
    if (inItems) return depth === 2 ? 'item ends' : undefined
    return depth === 1 ? 'field ends' : undefined
  }
}

/** The text since the last border, which may come in several chunks. */
function createPart(limitBytes: number) {
  let pieces: Uint8Array[] = []
  let held = 0
  return {
    hold(rest: Uint8Array): void {
      pieces.push(rest)
      held += rest.length
      checkLength(held, limitBytes)
    },
    /** The text so far, where it is short enough to be a name. */
    peek: (rest: Uint8Array): string => (held + rest.length > 64 ? '' : decodeText([...pieces, rest])),
    end(rest: Uint8Array): string {
      checkLength(held + rest.length, limitBytes)
      const text = decodeText([...pieces, rest])
      pieces = []
      held = 0
      return text
    },
  }
}

function isItems(text: string): boolean {
  return /^\s*"items"\s*:\s*$/.test(text)
}

function take(border: Border, text: string, { item, field }: ListParts): void {
  // Nothing stands in an empty list, nor between the end of `items` and the comma after it.
  if ((border !== 'field ends' && border !== 'item ends') || text.trim() === '') return
  if (border === 'item ends') item(parse(text))
  else for (const [name, value] of Object.entries(parse(`{${text}}`) as Record<string, unknown>)) field(name, value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new StreamFault('malformed', 'the list is not JSON', error)
  }
}
