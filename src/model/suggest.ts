// "Did you mean": the known name nearest to one that nobody knows.

/** The closest of `known`, or undefined where none is close enough to be a slip of the finger. Case counts for nothing. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  const furthest = Math.floor((wanted.length + 1) / 3)
  let best: string | undefined
  let bestDistance = furthest + 1
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/**
 * How many characters to insert, remove or replace, or neighbours to exchange (Damerau and Levenshtein, "optimal string alignment"); at least `most`
 * where it is not less. Among 10,000 names few are worth more than a look at their lengths.
 */
function editDistance(from: string, to: string, most: number): number {
  if (Math.abs(from.length - to.length) >= most) return most
  let earlier: readonly number[] = []
  let previous: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      const isExchange = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      const exchanged = isExchange ? (earlier[column - 2] ?? 0) + 1 : most
      current.push(Math.min(replaced, exchanged, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    // An exchange reaches back one row more.
    if (Math.min(...previous, ...current) >= most) return most
    ;[earlier, previous] = [previous, current]
  }
  return previous[to.length] ?? 0
}
