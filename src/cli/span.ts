// How long ago, in words for people.

/** The time between two, in its two largest units: `3 h 12 min`. */
export function span(later: string, earlier: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(later) - Date.parse(earlier)) / 1000))
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
