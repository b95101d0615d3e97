// What comes of decoding one object: the object, a reason why nobody needs it, or what is wrong with it.
import type { ClusterObject } from '../../model/objects.ts'
import type { ObjectId, SourceProblem } from '../source.ts'
import { type DecodeProblem, problemText } from './problem.ts'

/** What an object is where it does not say so itself: the items of an API server's list have neither field. */
export interface ObjectType {
  readonly apiVersion: string
  readonly kind: string
}

export type DecodeResult = Decoded | Ignored | Refused

export interface Decoded {
  readonly outcome: 'decoded'
  readonly id: ObjectId
  readonly object: ClusterObject
  /** Parts that were left out; the rest of the object holds. */
  readonly warnings: readonly DecodeProblem[]
}

/** Nothing to follow. Where an object of this id was followed before (it was given another label), it is gone. */
export interface Ignored {
  readonly outcome: 'ignored'
  readonly id: ObjectId | undefined
  /** For messages: `EndpointSlice default/web-abc`. */
  readonly name: string
  readonly why: NotFollowed
}

export interface NotFollowed {
  /** Whether the reason holds for all objects of this kind (say it once) or for this one. */
  readonly notFollowed: 'kind' | 'object'
  readonly severity: 'warning' | 'info'
  readonly reason: string
  readonly advice: string
}

/** Something in the object would make wrong rules. Keep its last good version, if there is one. */
export interface Refused {
  readonly outcome: 'refused'
  /** Undefined where the object does not even say who it is. */
  readonly id: ObjectId | undefined
  readonly name: string
  readonly error: DecodeProblem
}

/** As a report for the operator; `where` names the object and, for manifests, its file. */
export function toSourceProblem(severity: SourceProblem['severity'], where: string, problem: DecodeProblem): SourceProblem {
  return { severity, where, problem: problemText(problem), advice: problem.advice }
}
