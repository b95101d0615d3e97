// Ipvs mode: Decisions as virtual servers, with kube-proxy's sets and fixed rules around them. Pure; see ../mode.ts for who calls what when.
import type { IptablesTools } from '../../kernel/iptables.ts'
import type { Plan } from '../../kernel/plan.ts'
import { type IpFamily, ofFamily } from '../../model/address.ts'
import type { Change, Mode, Remark, Scope } from '../mode.ts'
import { learnAliases } from '../rules/drift.ts'
import { ruleCounts } from '../rules/rule-counts.ts'
import { ipvsRoles } from './base-chains.ts'
import { ipvsChanges } from './changes.ts'
import { confirm } from './confirm.ts'
import { difference } from './diff.ts'
import { drainContract } from './drain-contract.ts'
import { driftOf } from './drift.ts'
import { fates } from './fates.ts'
import { feed } from './feed.ts'
import { holdService } from './hold.ts'
import { ipvsMeaning } from './meaning.ts'
import { parse, queries } from './parse.ts'
import { render } from './render.ts'
import { hasServiceChains, planRules, rulesWanted } from './rules.ts'
import type { Desired, Observed } from './state.ts'
import { tracer } from './trace.ts'
import { chooseScheduler, type IpvsAbilities } from './virtual-servers.ts'

export type IpvsMode = Mode<Desired, Observed>

export interface IpvsModeOptions {
  readonly family: IpFamily
  readonly tools: IptablesTools
  readonly abilities: IpvsAbilities
}

export function ipvsMode({ family, tools, abilities }: IpvsModeOptions): IpvsMode {
  const diff = (change: Change<Desired, Observed>): Plan =>
    feed({
      family,
      difference: difference(change, family),
      desired: change.desired,
      rules: planRules(change, { family, tools }),
      takesOver: hasServiceChains(change.observed),
      whole: change.touched === 'everything',
    })
  return {
    name: 'ipvs',
    family,
    queries: extent => queries(extent, { family, tools }),
    parse: (outputs, _, aliases) => parse(outputs, { family, aliases, roles: ipvsRoles }),
    render: (desired, scope, input) => render({ desired, scope, input, family, abilities }),
    diff,
    changes: (change, outputs) => ipvsChanges(change, { family, outputs }),
    confirm: change => confirm(change, family, planRules(change, { family, tools }).observed),
    hold: holdService,
    drift: (desired, observed, extent) => driftOf({ desired, observed, family }, extent),
    learnAliases: (desired, observed) => learnAliases(rulesWanted(desired, family), observed.rules),
    meaning: ipvsMeaning,
    tracer: outputs => tracer(outputs, family),
    fates,
    scheduler: (servicePort, settings) => chooseScheduler(servicePort, { usual: settings.ipvs.scheduler, abilities }).scheduler,
    ruleCounts: desired => ruleCounts(rulesWanted(desired, family)),
    // Not only those of node ports: a service address that another link carries is not on ours.
    dependsOnAddresses: (_, node) => ofFamily(node.interfaceAddresses, family),
    draining: drainContract(family),
    remarks,
  }
}

function remarks({ services, settings }: Desired, scope: Scope): readonly Remark[] {
  const keys = scope === 'everything' ? services.keys() : scope
  return [...keys].flatMap(service => {
    const refused = services.get(service)?.refusedScheduler
    if (refused === undefined) return []
    const what = `asks for the IPVS scheduler ${JSON.stringify(refused)}, which this kernel does not have or nobody knows`
    return [{ service, reason: 'SchedulerUnavailable', message: `${what}; it gets ${settings.scheduler}` }]
  })
}
