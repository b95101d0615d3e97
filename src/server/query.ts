// The parameters of a question over HTTP: a slip in a name must not count as if it were not there.

/** What is wrong with the names, in words; undefined where all are known and none is there twice. */
export function queryProblem(query: URLSearchParams, known: readonly string[]): string | undefined {
  const wrong = [...query.keys()].find(key => !known.includes(key) || query.getAll(key).length > 1)
  if (wrong === undefined) return undefined
  if (known.includes(wrong)) return `${wrong} is there twice; expected once`
  return `there is no parameter ${JSON.stringify(wrong)}; expected ${known.length === 0 ? 'none' : known.join(', ')}`
}
