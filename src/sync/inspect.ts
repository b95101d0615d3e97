// What one IP family of the kernel holds, beside what it should hold: the facts from which plan, verify and trace answer. Changes nothing.
import type { Exec } from '../kernel/exec.ts'
import type { Plan } from '../kernel/plan.ts'
import type { IpFamily } from '../model/address.ts'
import type { NodeFacts, TrafficSettings } from '../model/node.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { Change, Decisions, Drift, EarlierDrains, KernelChange, Mode } from '../modes/mode.ts'
import type { Tracer } from '../modes/trace.ts'
import { runQueries } from './apply.ts'
import { type ClusterView, updateDecisions } from './decisions.ts'
import { DrainKeeper } from './drain-keeper.ts'
import type { PassInput } from './pass-input.ts'

export interface Inspection {
  readonly family: IpFamily
  /** Name of the mode. */
  readonly mode: string
  /** When the kernel had been read, milliseconds since 1970. */
  readonly readAt: number
  readonly decisions: Decisions
  readonly node: NodeFacts
  readonly settings: TrafficSettings
  readonly drifts: readonly Drift[]
  /** What a difference means for connections. */
  readonly meaning: (drift: Drift) => string
  readonly trace: Tracer
}

export interface PlannedInspection extends Inspection {
  /** What a pass that compares everything would do now, and what changes thereby. */
  readonly plan: Plan
  readonly changes: readonly KernelChange[]
}

// biome-ignore lint/suspicious/noExplicitAny: nothing here looks into the states of a mode.
type AnyMode = Mode<any, any>

export interface InspectionFacts {
  readonly mode: AnyMode
  /** Of `queries('everything')`. */
  readonly outputs: readonly string[]
  readonly drifts: readonly Drift[]
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly change: Omit<Change<any, any>, 'touched'>
  readonly decisions: Decisions
  readonly node: NodeFacts
  readonly settings: TrafficSettings
}

/** `inspection` or `plannedInspection`. */
export type Making<Found> = (facts: InspectionFacts) => Found

export function inspection({ mode, outputs, drifts, decisions, node, settings }: InspectionFacts): Inspection {
  let tracer: Tracer | undefined
  return {
    family: mode.family,
    mode: mode.name,
    readAt: Date.now(),
    decisions,
    node,
    settings,
    drifts,
    meaning: drift => mode.meaning(drift, decisions),
    trace: packet => {
      tracer ??= mode.tracer(outputs)
      return tracer(packet)
    },
  }
}

/** For a large node a plan costs as much as all else, so it is made for who asks for it. `change` is consumed. */
export function plannedInspection(found: InspectionFacts): PlannedInspection {
  const change = { ...found.change, touched: 'everything' as const }
  return { ...inspection(found), plan: found.mode.diff(change), changes: found.mode.changes(change, found.outputs) }
}

/** For a process that programs nothing itself: the same functions as in a pass, up to where the kernel would be touched. Throws CommandError. */
export async function survey(options: {
  readonly mode: AnyMode
  readonly exec: Exec
  readonly cluster: ClusterView
  readonly input: PassInput
  readonly earlierDrains?: EarlierDrains
}): Promise<PlannedInspection> {
  const { mode, exec, cluster, input, earlierDrains: earlier = new Map() } = options
  const { node, settings, sweep } = input
  const outputs = await runQueries(mode.queries('everything'), exec)
  const observed = mode.parse(outputs, 'everything', new Map())
  const decisions = updateDecisions({
    decisions: new Map<ServiceKey, readonly Decision[]>(),
    scope: 'everything',
    cluster,
    family: mode.family,
    node,
  })
  const rendered = mode.render(undefined, 'everything', { decisions, node, settings })
  const drains = new DrainKeeper({ draining: mode.draining, exec, wall: Date.now, earlier })
  const change = { desired: rendered, observed, touched: 'everything' as const, sweep }
  const desired = drains.keep(change)
  const found = plannedInspection({ mode, outputs, drifts: [], change: { desired, observed, sweep }, decisions, node, settings })
  // After the plan, which takes over what only differs in its comments.
  const drifts = mode.drift(desired, observed, 'everything').filter(({ kind }) => sweep || kind !== 'unexpected')
  return { ...found, drifts }
}
