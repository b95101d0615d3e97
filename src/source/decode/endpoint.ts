// One endpoint of an EndpointSlice. This runs for every endpoint of the cluster: no path is written out and nothing is
// allocated beyond the result, unless something is wrong.
// A bad endpoint is left out with a warning; its neighbours serve on.
import { familyOf, type IpFamily } from '../../model/address.ts'
import type { SliceEndpoint } from '../../model/objects.ts'
import { neverForwarded, usableAddress } from './addresses.ts'
import { isFields } from './fields.ts'
import { isSubdomain, subdomainRule } from './names.ts'
import { show, type Warnings } from './problem.ts'
import { shareText } from './text.ts'

export interface EndpointContext {
  readonly family: IpFamily
  readonly warnings: Warnings
}

interface Conditions {
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
}

const defaultConditions: Conditions = { ready: true, serving: true, terminating: false }

export function decodeEndpoint(value: unknown, index: number, context: EndpointContext): SliceEndpoint | undefined {
  const { warnings } = context
  if (!isFields(value)) {
    return leaveOut(warnings, { path: `endpoints[${index}]`, seen: show(value), expected: 'an endpoint with addresses' })
  }
  const addresses = value['addresses']
  const given: unknown = Array.isArray(addresses) ? addresses[0] : addresses
  const result = usableAddress(given, neverForwarded)
  const path = () =>
    Array.isArray(addresses) && addresses.length > 0 ? `endpoints[${index}].addresses[0]` : `endpoints[${index}].addresses`
  if (!Array.isArray(addresses)) return leaveOut(warnings, { path: path(), seen: show(given), expected: 'a list of addresses' })
  if (!('address' in result)) return leaveOut(warnings, { path: path(), seen: show(given), expected: result.expected })
  if (familyOf(result.address) !== context.family) {
    const expected = `an ${context.family} address, as addressType says`
    return leaveOut(warnings, { path: path(), seen: show(given), expected })
  }
  const conditions = decodeConditions(value['conditions'], index, warnings)
  if (conditions === undefined) return undefined
  const hints = value['hints']
  return {
    address: result.address,
    ready: conditions.ready,
    serving: conditions.serving,
    terminating: conditions.terminating,
    nodeName: decodeNodeName(value['nodeName'], index, warnings),
    podName: decodePodName(value['targetRef']),
    zoneHints: isFields(hints) ? decodeHints(hints['forZones'], `endpoints[${index}].hints.forZones`, warnings) : undefined,
    nodeHints: isFields(hints) ? decodeHints(hints['forNodes'], `endpoints[${index}].hints.forNodes`, warnings) : undefined,
  }
}

/** ready is true where unset, serving is what ready says, terminating is false (EndpointConditions of the API). */
function decodeConditions(value: unknown, index: number, warnings: Warnings): Conditions | undefined {
  if (value === undefined || value === null) return defaultConditions
  if (!isFields(value)) {
    return leaveOut(warnings, { path: `endpoints[${index}].conditions`, seen: show(value), expected: 'an object (key: value)' })
  }
  const ready = value['ready'] ?? true
  const serving = value['serving'] ?? ready
  const terminating = value['terminating'] ?? false
  if (typeof ready === 'boolean' && typeof serving === 'boolean' && typeof terminating === 'boolean')
    return { ready, serving, terminating }
  const [name, seen] =
    typeof ready !== 'boolean'
      ? ['ready', ready]
      : typeof serving !== 'boolean'
        ? ['serving', serving]
        : ['terminating', terminating]
  return leaveOut(warnings, { path: `endpoints[${index}].conditions.${name}`, seen: show(seen), expected: 'true or false' })
}

function leaveOut(
  warnings: Warnings,
  problem: { readonly path: string; readonly seen: string; readonly expected: string },
): undefined {
  warnings.add({ ...problem, advice: 'This endpoint is left out; the others of its slice work. Correct it.' })
}

/** An endpoint on a node that cannot be named still serves; it is local to no node. */
function decodeNodeName(value: unknown, index: number, warnings: Warnings): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && isSubdomain(value)) return shareText(value)
  const advice = 'The endpoint counts as local to no node. Correct the name.'
  warnings.add({ path: `endpoints[${index}].nodeName`, seen: show(value), expected: subdomainRule, advice })
  return undefined
}

/** Only for people: what is no pod's name is none, without a word. */
function decodePodName(reference: unknown): string | undefined {
  if (!isFields(reference) || reference['kind'] !== 'Pod') return undefined
  const name = reference['name']
  return typeof name === 'string' && isSubdomain(name) ? shareText(name) : undefined
}

/** Hints are a preference, so a bad list of them is no list: then all endpoints of the Service are used. */
function decodeHints(value: unknown, path: string, warnings: Warnings): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) {
    const names = value.map(hint => (isFields(hint) && typeof hint['name'] === 'string' ? hint['name'] : ''))
    if (!names.includes('')) return names.length === 0 ? undefined : names.map(shareText)
  }
  const advice = 'The hints of this endpoint are not used. Correct them.'
  warnings.add({ path, seen: show(value), expected: 'a list of objects with a name', advice })
  return undefined
}
