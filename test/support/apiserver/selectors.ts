// Label and field selectors → a test of objects. Throws a Refused with the answer of a real server where one cannot be read.
import type { ApiObject, ServedResource } from './resources.ts'
import { badRequest, fieldNotSupported, type Refusal } from './status.ts'

export type Matches = (object: ApiObject) => boolean

/** Ends a request with this answer. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.status.message)
    this.refusal = refusal
  }
}

export interface Selectors {
  readonly labelSelector: string | undefined
  readonly fieldSelector: string | undefined
}

/** @param unknownFields fields that this server is to be too old for. */
export function matcher(resource: ServedResource, selectors: Selectors, unknownFields: ReadonlySet<string> = new Set()): Matches {
  const tests = [
    ...terms(selectors.labelSelector).map(labelTest),
    ...terms(selectors.fieldSelector).map(term => fieldTest(term, resource, unknownFields)),
  ]
  return object => tests.every(test => test(object))
}

/** Commas part terms, but not inside `in (a,b)`. */
function terms(selector: string | undefined): readonly string[] {
  return (selector ?? '')
    .split(/,(?![^(]*\))/)
    .map(term => term.trim())
    .filter(term => term !== '')
}

function labelTest(term: string): Matches {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(term)
  if (set !== null) {
    const [, key = '', operator, list = ''] = set
    const values = list.split(',').map(value => value.trim())
    return object => values.includes(label(object, key) ?? '\0') === (operator === 'in')
  }
  const comparison = /^([^!=]+?)\s*(==|=|!=)\s*(.*)$/.exec(term)
  if (comparison !== null) {
    const [, key = '', operator, value] = comparison
    return object => (label(object, key) === value) === (operator !== '!=')
  }
  const existence = /^(!?)\s*([\w./-]+)$/.exec(term)
  if (existence === null) throw new Refused(badRequest(`unable to parse requirement: ${term}`))
  const [, not, key = ''] = existence
  return object => (label(object, key) !== undefined) === (not === '')
}

function label({ metadata }: ApiObject, key: string): string | undefined {
  return metadata.labels?.[key]
}

function fieldTest(term: string, { fields }: ServedResource, unknownFields: ReadonlySet<string>): Matches {
  const parsed = /^([^!=]+)(==|=|!=)(.*)$/.exec(term)
  if (parsed === null) throw new Refused(badRequest(`invalid field selector: ${term}`))
  const [, field = '', operator, value] = parsed
  const read = fields[field]
  if (read === undefined || unknownFields.has(field)) throw new Refused(fieldNotSupported(field))
  return object => (read(object) === value) === (operator !== '!=')
}
