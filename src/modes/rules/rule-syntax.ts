// One rule as iptables-save prints it → what it asks for and what it does, as data. Knows the grammar, and of no match or target what it means.

/** One question that a rule asks: `! -s 10.244.0.0/16`, `-m tcp --dport 80`. */
export interface Question {
  /** Of the match that asks: `tcp`, `conntrack`; empty for those that every rule may ask by itself. */
  readonly match: string
  /** `-s`, `--dport`; empty for a match that is named and asks nothing. */
  readonly option: string
  readonly isNegated: boolean
  readonly values: readonly string[]
}

export interface Rule {
  /** As it was printed, without `-A CHAIN `. */
  readonly text: string
  readonly questions: readonly Question[]
  /** The one address that it is for, so that a packet to another needs no further look; undefined: it is for several, or for all but some. */
  readonly destination: string | undefined
  /** Undefined: it counts, or notes, and the packet goes on. */
  readonly target: Target | undefined
}

export interface Target {
  /** `DNAT`, or a chain. */
  readonly name: string
  /** `-g`: what returns from the chain goes on where this one was called. */
  readonly isGoto: boolean
  /** `--to-destination` → `10.244.1.11:8080`; an option without a value → empty. */
  readonly options: ReadonlyMap<string, string>
}

/** Never fails: what is no rule has questions that nobody knows. */
export function parseRule(text: string): Rule {
  const words = wordsOf(text)
  const end = words.findIndex(word => word === '-j' || word === '-g')
  const before = end === -1 ? words : words.slice(0, end)
  const questions = questionsIn(before)
  return { text, questions, destination: destinationIn(questions), target: end === -1 ? undefined : targetIn(words.slice(end)) }
}

function destinationIn(questions: readonly Question[]): string | undefined {
  const [range = '', others] = questions.find(({ option, isNegated }) => option === '-d' && !isNegated)?.values ?? []
  return others === undefined
    ? /^([0-9.]+)\/32$|^([0-9a-f:]+)\/128$/
        .exec(range)
        ?.slice(1)
        .find(each => each !== undefined)
    : undefined
}

/** Blanks part words, but not inside of double quotes, where a backslash takes the next character as it is. */
function wordsOf(text: string): readonly string[] {
  const pattern = /"((?:[^"\\]|\\.)*)"|(\S+)/g
  return [...text.matchAll(pattern)].map(([, quoted, plain = '']) => quoted?.replace(/\\(.)/g, '$1') ?? plain)
}

const ofEveryRule = new Set(['-s', '-d', '-i', '-o', '-p', '-f'])

function questionsIn(words: readonly string[]): readonly Question[] {
  const questions: { match: string; option: string; isNegated: boolean; values: string[] }[] = []
  let match = ''
  let isNegated = false
  let index = 0
  while (index < words.length) {
    const word = words[index++] ?? ''
    if (word === '-m') {
      match = words[index++] ?? ''
      questions.push({ match, option: '', isNegated: false, values: [] })
    } else if (word === '!') {
      isNegated = true
    } else if (ofEveryRule.has(word) || word.startsWith('--')) {
      questions.push({ match: ofEveryRule.has(word) ? '' : match, option: word, isNegated, values: [] })
      isNegated = false
    } else {
      questions.at(-1)?.values.push(word)
    }
  }
  return questions
}

function targetIn([jump, name = '', ...words]: readonly string[]): Target {
  const options = new Map<string, string>()
  let option = ''
  for (const word of words) {
    if (word.startsWith('--')) {
      option = word
      options.set(option, '')
    } else {
      const value = options.get(option) ?? ''
      options.set(option, value === '' ? word : `${value} ${word}`)
    }
  }
  return { name, isGoto: jump === '-g', options }
}
