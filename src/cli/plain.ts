// Texts that others wrote, for a terminal.

/** What comes over the network, or from a tool's complaint, without control characters: a terminal obeys those. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
}

/** The kernel's own text, to which every character belongs: those that a terminal would obey are written as `\u{1b}`. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
