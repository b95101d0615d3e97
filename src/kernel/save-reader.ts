// What iptables-save (or `iptables -S CHAIN`) prints, line by line, in pieces as they come: 170,000 rules are 25 MB, and nobody needs
// them all at once. Takes text cut anywhere; tells of tables, chains and rules in the order in which they are printed.
import { copyText } from '../model/text.ts'

export interface SavedLines {
  /** `*nat`; never in a listing of one chain. */
  table?(name: string): void
  /** `:CHAIN`, `-N CHAIN` or `-P CHAIN`; a copy of the name. */
  chain(name: string): void
  /**
   * Rules of one chain that stand together: `-A CHAIN RULE`, a line each, without the last newline. Iptables prints a chain's rules one after the
   * other; they may come by several calls, with no other chain's between. Both are views of the piece.
   */
  rules(chain: string, text: string): void
}

export class SaveReader {
  readonly #tell: SavedLines
  #unfinishedLine = ''

  constructor(tell: SavedLines) {
    this.#tell = tell
  }

  take(piece: string): void {
    const text = this.#unfinishedLine + piece
    const end = text.lastIndexOf('\n') + 1
    this.#unfinishedLine = text.slice(end)
    if (end > 0) this.#read(text.slice(0, end - 1))
  }

  /** The last line may lack its newline. */
  end(): void {
    if (this.#unfinishedLine !== '') this.#read(this.#unfinishedLine)
    this.#unfinishedLine = ''
  }

  #read(text: string): void {
    for (let start = 0; start < text.length; ) {
      const stop = endOfLine(text, start)
      if (text.startsWith('-A ', start)) {
        const chain = text.slice(start + 3, endOfWord(text, start + 3, stop))
        const end = endOfRun(text, stop, `-A ${chain} `)
        this.#tell.rules(chain, text.slice(start, end))
        start = end + 1
      } else {
        this.#readOther(text, start, stop)
        start = stop + 1
      }
    }
  }

  #readOther(text: string, start: number, stop: number): void {
    const before = text.startsWith(':', start) ? 1 : /^-[NP] /.test(text.slice(start, start + 3)) ? 3 : 0
    if (before > 0) this.#tell.chain(copyText(text.slice(start + before, endOfWord(text, start + before, stop))))
    else if (text.startsWith('*', start)) this.#tell.table?.(text.slice(start + 1, stop))
  }
}

/** All at once. */
export function readSave(output: string, tell: SavedLines): void {
  const reader = new SaveReader(tell)
  reader.take(output)
  reader.end()
}

/** A chain's rules come one after the other. */
function endOfRun(text: string, endOfFirst: number, before: string): number {
  let end = endOfFirst
  while (text.startsWith(before, end + 1)) end = endOfLine(text, end + 1)
  return end
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from)
  return newline === -1 ? text.length : newline
}

function endOfWord(text: string, from: number, endOfLine: number): number {
  const space = text.indexOf(' ', from)
  return space === -1 || space > endOfLine ? endOfLine : space
}
