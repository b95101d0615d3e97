// Texts that others wrote, for a terminal.

/** What comes over the network, or from a tool's complaint, without control characters: a terminal obeys those. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
}
