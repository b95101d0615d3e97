// Words for numbers, times and foreign text.

/** What cannot be seen, or would turn the text around it, is written out: `⟨U+202E⟩`. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => {
    const code = character.codePointAt(0) ?? 0
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
  })
}

/** The middle left out where it is longer than so many characters. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text
  const head = Math.ceil((most - 1) * 0.6)
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`
}

export function count(amount: number, what: string): string {
  return `${grouped(amount)} ${what}${amount === 1 ? '' : 's'}`
}

export function grouped(amount: number): string {
  return amount.toLocaleString('en-US')
}

/** `33.3 %`, `< 0.1 %`. @param share 0 to 1. */
export function percent(share: number): string {
  const amount = share * 100
  if (amount > 0 && amount < 0.1) return '< 0.1 %'
  return `${Number(amount.toFixed(1))} %`
}

/** In its two largest units: `3 h 12 min`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (Number.isNaN(seconds)) return '?'
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return two([Math.floor(seconds / 60), 'min'], [seconds % 60, 's'])
  if (seconds < 86_400) return two([Math.floor(seconds / 3600), 'h'], [Math.floor(seconds / 60) % 60, 'min'])
  return two([Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'])
}

type Amount = readonly [number, string]

function two([large, unit]: Amount, [small, smaller]: Amount): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smaller}`
}

/** `pods, the node and outside`. */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
