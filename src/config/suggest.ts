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

/** Levenshtein's distance: how many characters to insert, remove or replace; at least `most` where it is not less. Among 10,000 names few are worth more. */
function editDistance(from: string, to: string, most: number): number {
  if (Math.abs(from.length - to.length) >= most) return most
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [row, character] of [...from].entries()) {
    const current = [row + 1]
    let least = row + 1
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (character === to[column - 1] ? 0 : 1)
      const here = Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1)
      current.push(here)
      if (here < least) least = here
    }
    if (least >= most) return most
    previous = current
  }
  return previous[to.length] ?? 0
}
