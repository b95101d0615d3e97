// How often chance alone would fail a test: bounds for counts of random choices, so exact that no flow fails by bad luck.

/** For each row: a run has about a thousand of them in all suites, so a false alarm comes once in ten million runs. */
export const falseAlarm = 1e-10

/**
 * The least number of connections after which each of `endpoints` equally likely endpoints was reached,
 * except with probability `falseAlarm` (union bound: endpoints * (1 - 1/endpoints)^n).
 */
export function connectionsToReachAll(endpoints: number): number {
  return endpoints === 1 ? 1 : Math.ceil(Math.log(falseAlarm / endpoints) / Math.log(1 - 1 / endpoints))
}

/**
 * The least and the most connections that one of `endpoints` equally likely endpoints gets out of `connections`:
 * leaving this range has probability below `falseAlarm` for all endpoints and both sides together (exact binomial tails).
 */
export function uniformBounds(connections: number, endpoints: number): { readonly least: number; readonly most: number } {
  const tail = falseAlarm / (2 * endpoints)
  const probability = 1 / endpoints
  const least = longestTail(connections, probability, tail)
  return { least, most: connections - longestTail(connections, 1 - probability, tail) }
}

/** The smallest k for which the chance of k or fewer successes reaches `tail`: fewer than k do not happen. */
function longestTail(trials: number, probability: number, tail: number): number {
  let logChance = trials * Math.log(1 - probability)
  let sum = Math.exp(logChance)
  let successes = 0
  while (sum < tail) {
    logChance += Math.log(((trials - successes) / (successes + 1)) * (probability / (1 - probability)))
    sum += Math.exp(logChance)
    successes++
  }
  return successes
}
