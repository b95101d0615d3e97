// Decisions → Desired, anew or for the Services that changed.
import { type IpFamily, ofFamily } from '../../model/address.ts'
import { outerNodePortAddresses } from '../../model/node.ts'
import type { ServiceKey } from '../../model/objects.ts'
import { othersDependOn } from '../../model/service-port.ts'
import type { Decision } from '../../model/traffic-policy.ts'
import type { Decisions, RenderInput, Scope } from '../mode.ts'
import { baseChains } from './base-chains.ts'
import { replaceService } from './claims.ts'
import { noticeEndpoints } from './drain-endpoints.ts'
import { type EntryContext, outFilterRules, serviceAddresses, setEntries } from './set-entries.ts'
import { type Desired, nothingDirty, type Rendered } from './state.ts'
import { chooseScheduler, type IpvsAbilities, virtualServers } from './virtual-servers.ts'

export interface RenderOptions {
  readonly desired: Desired | undefined
  readonly scope: Scope
  readonly input: RenderInput
  readonly family: IpFamily
  readonly abilities: IpvsAbilities
}

export function render({ desired: before, scope, input, family, abilities }: RenderOptions): Desired {
  const { decisions, settings, node } = input
  const addresses = addressFacts(input, family)
  const base: Desired['base'] = isUsed => baseChains({ settings, node, family, isUsed })
  const whole = before === undefined || scope === 'everything'
  const desired = whole ? startOver(before, { base, settings: settings.ipvs, ...addresses, retiringMs: undefined }) : before
  const context: ServiceContext = { node, ...addresses, usual: settings.ipvs.scheduler, abilities }
  for (const key of whole ? inOrder(decisions) : scope) {
    const ofService = decisions.get(key) ?? []
    const after = ofService.length === 0 ? undefined : renderService(ofService, context)
    noticeEndpoints(desired, key, { before: before?.services.get(key), after })
    replaceService(desired, key, after)
  }
  return desired
}

/** Those that others depend on first: a tool programs what it is fed line by line, in this order. */
function inOrder(decisions: Decisions): readonly ServiceKey[] {
  const first = new Set<ServiceKey>()
  for (const [key, ofService] of decisions) if (othersDependOn(ofService.map(({ servicePort }) => servicePort))) first.add(key)
  return [...new Set([...first, ...decisions.keys()])]
}

/** Where node ports answer, and what else is the node's own. */
export function addressFacts(
  { settings, node }: RenderInput,
  family: IpFamily,
): Pick<Desired, 'nodeAddresses' | 'localAddresses'> {
  return {
    nodeAddresses: outerNodePortAddresses(settings, node, family),
    localAddresses: new Set(ofFamily(node.interfaceAddresses, family)),
  }
}

export type DesiredFacts = Pick<Desired, 'base' | 'settings' | 'nodeAddresses' | 'localAddresses' | 'retiringMs'>

/** Nothing wanted yet. What drains is known on: else it would begin anew. */
export function startOver(before: Desired | undefined, facts: DesiredFacts): Desired {
  const earlier = [...(before?.nodeAddresses ?? []), ...(before?.formerNodeAddresses ?? [])]
  return {
    ...facts,
    earlierServers: new Set([
      ...(before?.earlierServers ?? []),
      ...(before?.servers.keys() ?? []),
      ...(before?.dirty.servers ?? []),
    ]),
    formerNodeAddresses: new Set(earlier.filter(address => !facts.nodeAddresses.includes(address))),
    services: new Map(),
    claims: new Map(),
    sets: new Map(),
    servers: new Map(),
    addresses: new Set(),
    draining: before?.draining ?? new Map(),
    dirty: nothingDirty(),
    outFilter: new Map(),
  }
}

interface ServiceContext extends EntryContext {
  /** The scheduler of Services that ask for none. */
  readonly usual: string
  readonly abilities: IpvsAbilities
}

export function renderService(decisions: readonly Decision[], context: ServiceContext): Rendered {
  const [first] = decisions
  const { scheduler, refused } =
    first === undefined ? { scheduler: context.usual, refused: undefined } : chooseScheduler(first.servicePort, context)
  const entries = decisions.flatMap(decision => setEntries(decision, context))
  return {
    servers: new Map(
      decisions.flatMap(decision => [...virtualServers(decision, { scheduler, nodeAddresses: context.nodeAddresses })]),
    ),
    entries: [...new Map(entries.map(item => [`${item.set} ${item.entry}`, item])).values()],
    addresses: [...new Set(decisions.flatMap(({ servicePort }) => serviceAddresses(servicePort, context)))],
    outFilter: decisions.flatMap(({ servicePort }) => outFilterRules(servicePort, context.node)),
    endpoints: endpointsOf(decisions),
    refusedScheduler: refused,
  }
}

function endpointsOf(decisions: readonly Decision[]): readonly string[] {
  const names = decisions.flatMap(({ reachable, unselected }) => [...reachable.map(({ hostPort }) => hostPort), ...unselected])
  return [...new Set(names)]
}
