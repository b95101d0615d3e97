// What is wrong with one field, as a value: the path, what stood there, what was expected, what to do.
// Takes what a decoder found; gives text for an operator. Text from outside is shown escaped and cut, so that it can
// neither fill a log nor write a line of its own into it.

export interface DecodeProblem {
  /** `spec.ports[0].port`; empty where the object as a whole is meant. */
  readonly path: string
  /** What stood there: `99999`, `"x"`, `a list`, `missing`. */
  readonly seen: string
  /** Completes "expected ...". */
  readonly expected: string
  /** What the operator should do: a sentence. */
  readonly advice: string
}

/** Ends the decoding of one object; caught in `decodeObject` and nowhere else. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly problem: DecodeProblem

  constructor(problem: DecodeProblem) {
    super(problemText(problem))
    this.problem = problem
  }
}

/** Collects what is wrong with one object and leaves the rest of it usable. */
export interface Warnings {
  add(problem: DecodeProblem): void
  list(): readonly DecodeProblem[]
}

const noProblems: readonly DecodeProblem[] = []
const mostWarnings = 5

/** Keeps the first five and counts the rest: a slice of a thousand bad endpoints is one fault, not a thousand lines. */
export function createWarnings(): Warnings {
  let kept: DecodeProblem[] | undefined
  let left = 0
  return {
    add(problem) {
      kept ??= []
      if (kept.length < mostWarnings) kept.push(problem)
      else left += 1
    },
    list() {
      if (kept === undefined) return noProblems
      if (left === 0) return kept
      return [
        ...kept,
        { path: '', seen: `wrong in ${left} more places`, expected: 'none', advice: 'Mend the first ones to see these.' },
      ]
    },
  }
}

export function refuse(problem: DecodeProblem): never {
  throw new Refusal(problem)
}

/** `spec.ports[0].port is 99999; expected a whole number from 1 to 65535`. */
export function problemText({ path, seen, expected }: DecodeProblem): string {
  return `${path === '' ? 'the object' : path} is ${seen}; expected ${expected}`
}

const longestShown = 60

/** A value from outside in a few safe words: numbers and texts as JSON, anything larger by its kind. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'missing'
    case 'string':
      return showText(value)
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? 'a list' : 'an object'
    default:
      return String(value)
  }
}

function showText(text: string): string {
  const cut = text.length > longestShown ? `${text.slice(0, longestShown)}...` : text
  return JSON.stringify(cut).replace(/[^\x20-\x7e]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
