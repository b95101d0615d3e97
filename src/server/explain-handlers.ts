// What the metrics server answers of the kernel: /switchyard/v1/plan and /switchyard/v1/verify. Takes inspections and how things are; knows no socket.
import type { Comparison } from '../explain/comparison.ts'
import { planObject } from '../explain/plan.ts'
import { planPath } from '../explain/plan-object.ts'
import { verifyObject } from '../explain/verify.ts'
import { verifyPath } from '../explain/verify-object.ts'
import type { IpFamily } from '../model/address.ts'
import type { Inspection, PlannedInspection } from '../sync/inspect.ts'
import type { ParameterState } from '../sync/wanted-parameters.ts'
import { type Handler, jsonResponse, textResponse } from './http.ts'
import { queryProblem } from './query.ts'
import { notNow, orUnreadable, type ReadInspections } from './read-inspections.ts'

export interface ExplainOptions {
  readonly families: readonly IpFamily[]
  readonly node: string
  readonly mode: () => string
  readonly source: string
  /** False while something cannot be read. */
  readonly sweeps: () => boolean
  readonly inspections: ReadInspections
  readonly plans: ReadInspections<PlannedInspection>
  readonly parameters: (inspections: readonly Inspection[]) => Promise<readonly ParameterState[]>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** As JSON, without the time and the brace that opens it. */
function wordsOf({ time: _, ...object }: { readonly time: string }): string {
  return JSON.stringify(object).slice(1)
}

export function explainHandlers(options: ExplainOptions): Readonly<Record<string, Handler>> {
  const { families, node, source } = options
  const compare = async <Found extends Inspection>(read: ReadInspections<Found>): Promise<Comparison<Found>> => {
    const inspections = await read()
    const common = { node, source, mode: options.mode(), sweeps: options.sweeps(), now: options.now(), inspections }
    return { ...common, parameters: await options.parameters(inspections) }
  }
  const answer = <Found extends Inspection>(
    read: ReadInspections<Found>,
    object: (found: Comparison<Found>) => { readonly time: string },
  ): Handler => {
    /** All who share an inspection share its words, but for the time of the answer: of a table that was flushed there are many. */
    const said = new WeakMap<readonly Inspection[], string>()
    return async ({ query }) => {
      const problem = queryProblem(query, [])
      if (problem !== undefined) return textResponse(400, `${problem}\n`)
      const found = await orUnreadable(() => compare(read))
      if ('status' in found) return found
      const missing = families.filter(family => !found.inspections.some(each => each.family === family))
      if (missing.length > 0) return notNow(`${missing.join(' and ')} cannot be compared`)
      const words = said.get(found.inspections) ?? wordsOf(object(found))
      said.set(found.inspections, words)
      return jsonResponse(200, `{"time":"${new Date(found.now).toISOString()}",${words}`)
    }
  }
  return {
    [planPath]: answer(options.plans, planObject),
    [verifyPath]: answer(options.inspections, verifyObject),
  }
}
