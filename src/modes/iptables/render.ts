// Decisions → Desired, anew or for the Services that changed.
import type { IpFamily } from '../../model/address.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Decision } from '../../model/traffic-policy.ts'
import type { RenderInput, Scope } from '../mode.ts'
import type { Rendered } from '../rules/state.ts'
import { baseChains } from './base-chains.ts'
import { dispatchAfter, dispatchOf, type ServiceChange } from './dispatch-chains.ts'
import { ruleContext } from './service-chains.ts'
import { type Desired, renderService, wantsComments } from './state.ts'

export function render(options: { desired: Desired | undefined; scope: Scope; input: RenderInput; family: IpFamily }): Desired {
  const { scope, input, family } = options
  const { decisions, settings, node } = input
  const before = scope === 'everything' ? undefined : options.desired
  const services = before?.services ?? new Map<ServiceKey, Rendered>()
  const keys = before === undefined || scope === 'everything' ? [...decisions.keys()] : [...scope]
  const totalEndpoints = keys.reduce(
    (total, key) => total + endpointCount(decisions.get(key)) - (services.get(key)?.totalEndpoints ?? 0),
    before?.totalEndpoints ?? 0,
  )
  const comments = wantsComments(totalEndpoints, options.desired?.comments)
  const context = { ...ruleContext(settings, node, family), comments }
  const changes: ServiceChange[] = []
  for (const key of keys) {
    const ofService = decisions.get(key) ?? []
    const rendered = ofService.length === 0 ? undefined : renderService(ofService, context)
    changes.push({ service: key, before: services.get(key), after: rendered })
    if (rendered === undefined) services.delete(key)
    else services.set(key, rendered)
  }
  const dispatch =
    before === undefined
      ? dispatchOf(services, { setting: settings.dispatch, family })
      : dispatchAfter(before.dispatch, changes, services)
  return { base: before?.base ?? baseChains(settings, node, family), services, totalEndpoints, comments, dispatch }
}

function endpointCount(decisions: readonly Decision[] | undefined): number {
  return (decisions ?? []).reduce((sum, { totalEndpoints }) => sum + totalEndpoints, 0)
}
