// What a trace comes to, in a word or two: good only where every connection gets an answer from an endpoint that is to give it.
import type { TraceObject } from './trace-object.ts'

type Answered = Pick<TraceObject, 'verdict' | 'shares' | 'candidates' | 'unroutable'>

/** A mixture is a fault: some connections fail. */
export function outcomeOf({ verdict, shares, candidates, unroutable = [] }: Answered): NonNullable<TraceObject['outcome']> {
  if (verdict !== 'endpoints') return verdict === 'not a Service' ? 'not taken' : verdict
  if (unroutable.some(({ cuts }) => cuts === 'all')) return 'no route'
  const astray = candidates.filter(({ wanted }) => wanted === false).length
  if (astray > 0) return astray === candidates.length ? 'wrong target' : 'partly wrong target'
  return shares.endpoints > 0.999_999 && unroutable.length === 0 ? 'answered' : 'partly answered'
}
