// Inspections → the plan object: what changes, by Service, the fixed part first. Pure.
import { lineCount } from '../kernel/plan.ts'
import type { KernelChange } from '../modes/mode.ts'
import type { PlannedInspection } from '../sync/inspect.ts'
import type { ParameterState } from '../sync/wanted-parameters.ts'
import { type Comparison, headOf, inOrder } from './comparison.ts'
import { kubeProxyNote } from './kube-proxy-notes.ts'
import type { FamilyPlan, PlannedChange, PlannedParameterChange, PlanObject, ServicePlan } from './plan-object.ts'

export function planObject(comparison: Comparison<PlannedInspection>): PlanObject {
  const { inspections } = comparison
  const parameters = comparison.parameters.filter(({ isOurs }) => isOurs)
  const families = inspections.map(familyPlan)
  const empty = parameters.length === 0 && families.every(({ services }) => services.length === 0)
  return { ...headOf('Plan', comparison), empty, families, parameters: parameters.map(parameterChange) }
}

function parameterChange({ name, is, expected, why }: ParameterState): PlannedParameterChange {
  return { name, from: is ?? null, to: expected, why }
}

function familyPlan({ family, mode, plan, changes }: PlannedInspection): FamilyPlan {
  const { written, removed, kept } = plan
  return { family, mode, totals: { written, removed, lines: lineCount(plan) }, services: byService(changes), kept }
}

function byService(changes: readonly KernelChange[]): readonly ServicePlan[] {
  const groups = [...Map.groupBy(changes, ({ service }) => service ?? null)]
  return inOrder(groups.map(([service, ofService]) => ({ service, changes: ofService.map(plannedChange) })))
}

function plannedChange({ kind, what, lines }: KernelChange): PlannedChange {
  const { was, will } = lines()
  return { kind, what, was, will, note: kubeProxyNote({ kind, what, was, will }) }
}
