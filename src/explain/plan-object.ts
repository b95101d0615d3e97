// What would change in the kernel, as `switchyard plan -o json` prints it and /switchyard/v1/plan serves it. Within v1 fields may come, none goes or
// gets another meaning; null: there is none.
import type { IpFamily } from '../model/address.ts'
import type { ComparisonObject } from './comparison-object.ts'

export const planPath = '/switchyard/v1/plan'

export interface PlanObject extends ComparisonObject<'Plan'> {
  /** Whether the kernel is as it should be: nothing below changes anything. */
  readonly empty: boolean
  readonly families: readonly FamilyPlan[]
  /** Kernel parameters that would be set. */
  readonly parameters: readonly PlannedParameterChange[]
}

export interface FamilyPlan {
  readonly family: IpFamily
  /** `iptables`, `ipvs`; `retiring ipvs`: what ipvs mode left goes, as soon as its connections end. */
  readonly mode: string
  readonly totals: {
    /** Chains, sets and virtual servers that are made or written anew, and that are deleted. */
    readonly written: number
    readonly removed: number
    /** Lines that tools are fed with. */
    readonly lines: number
  }
  /** The fixed part first (`service` null), then by namespace and name. */
  readonly services: readonly ServicePlan[]
  /** What stays although it is stale, and why. */
  readonly kept: readonly string[]
}

export interface ServicePlan {
  /** `default/web`; also one that is no more. */
  readonly service: string | null
  readonly changes: readonly PlannedChange[]
}

export interface PlannedChange {
  readonly kind: 'added' | 'removed' | 'changed'
  /** `nat chain KUBE-SVC-X`, `rules in nat chain KUBE-SERVICES`, `virtual server -t 10.96.0.1:80`. */
  readonly what: string
  /** Rules, entries, real servers, a line each: those that the kernel has now, and those that it will have. */
  readonly was: readonly string[]
  readonly will: readonly string[]
  /** Why that is so and harms nothing, where it is one of the known differences from kube-proxy. */
  readonly note: string | null
}

export interface PlannedParameterChange {
  readonly name: string
  /** Null: the kernel does not have it yet. */
  readonly from: string | null
  readonly to: string
  readonly why: string
}
