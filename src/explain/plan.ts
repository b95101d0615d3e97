// Inspections → the plan object: what changes, by Service, the fixed part first. Pure.
import { lineCount } from '../kernel/plan.ts'
import type { KernelChange } from '../modes/mode.ts'
import type { Inspection } from '../sync/inspect.ts'
import { kubeProxyNote } from './kube-proxy-notes.ts'
import type { FamilyPlan, PlannedChange, PlannedParameterChange, PlanObject, ServicePlan } from './plan-object.ts'

export interface PlanFacts {
  readonly node: string
  readonly mode: string
  readonly source: string
  readonly sweeps: boolean
  /** Milliseconds since 1970. */
  readonly now: number
  readonly inspections: readonly Inspection[]
  readonly parameters: readonly PlannedParameterChange[]
}

export function planObject({ node, mode, source, sweeps, now, inspections, parameters }: PlanFacts): PlanObject {
  const families = inspections.map(familyPlan)
  const empty = parameters.length === 0 && families.every(({ services }) => services.length === 0)
  const head = { apiVersion: 'switchyard/v1', kind: 'Plan', time: new Date(now).toISOString() } as const
  return { ...head, node, mode, source, sweeps, empty, families, parameters }
}

function familyPlan({ family, mode, plan, changes }: Inspection): FamilyPlan {
  const { written, removed, kept } = plan
  return { family, mode, totals: { written, removed, lines: lineCount(plan) }, services: byService(changes), kept }
}

function byService(changes: readonly KernelChange[]): readonly ServicePlan[] {
  const groups = [...Map.groupBy(changes, ({ service }) => service ?? null)]
  const services = groups.map(([service, ofService]) => ({ service, changes: ofService.map(plannedChange) }))
  return services.sort((one, other) => compare(one.service ?? '', other.service ?? ''))
}

function plannedChange({ kind, what, lines }: KernelChange): PlannedChange {
  const { was, will } = lines()
  return { kind, what, was, will, note: kubeProxyNote({ kind, what, was, will }) }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
