// JSON that nobody vouches for → Service, EndpointSlice or Node; the only maker of these values, and the only place that
// trusts nobody. Pure. Invariants: only parsed addresses, ports and DNS names come out; nothing that comes out keeps the
// raw object alive; one bad object is a result, never an exception.
import type { ClusterObject, ObjectKind } from '../model/objects.ts'
import { decodeEndpointSlice } from './decode/endpoint-slice.ts'
import { type Fields, isFields } from './decode/fields.ts'
import { type Identity, identityOf, type Naming, nameForMessages } from './decode/metadata.ts'
import { decodeNode } from './decode/node.ts'
import { createWarnings, type DecodeProblem, Refusal, show, type Warnings } from './decode/problem.ts'
import type { DecodeResult, NotFollowed, ObjectType } from './decode/result.ts'
import { decodeService } from './decode/service.ts'

export { expandList, type ListItem } from './decode/list.ts'
export { type DecodeProblem, problemText } from './decode/problem.ts'
export {
  type Decoded,
  type DecodeResult,
  type Ignored,
  type NotFollowed,
  type Refused,
  toSourceProblem,
} from './decode/result.ts'
export { sameObject } from './decode/same.ts'

interface Decoder extends Omit<Naming, 'kind'> {
  readonly apiVersion: string
  readonly decode: (object: Fields, identity: Identity, warnings: Warnings) => ClusterObject | NotFollowed
}

const decoders: Readonly<Record<ObjectKind, Decoder>> = {
  Service: { apiVersion: 'v1', namespaced: true, name: 'label', decode: decodeService },
  EndpointSlice: { apiVersion: 'discovery.k8s.io/v1', namespaced: true, name: 'subdomain', decode: decodeEndpointSlice },
  Node: { apiVersion: 'v1', namespaced: false, name: 'subdomain', decode: decodeNode },
}

/**
 * Decodes one object as an API server or a manifest gives it; expand lists with `expandList` first.
 * @param type what the object is, where it does not say so itself.
 */
export function decodeObject(value: unknown, type?: ObjectType): DecodeResult {
  if (!isFields(value)) {
    return refused(undefined, 'a document', {
      path: '',
      seen: show(value),
      expected: 'a Kubernetes object',
      advice: 'Write apiVersion, kind and metadata.',
    })
  }
  const apiVersion = value['apiVersion'] ?? type?.apiVersion
  const kind = value['kind'] ?? type?.kind
  if (typeof kind !== 'string' || kind === '')
    return refused(undefined, nameForMessages(value, 'object'), missing('kind', kind, 'Service'))
  const name = nameForMessages(value, kind)
  if (typeof apiVersion !== 'string' || apiVersion === '')
    return refused(undefined, name, missing('apiVersion', apiVersion, 'v1'))
  if (!isFollowedKind(kind) || decoders[kind].apiVersion !== apiVersion) {
    return { outcome: 'ignored', id: undefined, name, why: otherKind(apiVersion, kind) }
  }
  return decodeAs(kind, value, name)
}

function decodeAs(kind: ObjectKind, object: Fields, name: string): DecodeResult {
  const decoder = decoders[kind]
  const warnings = createWarnings()
  let identity: Identity | undefined
  try {
    identity = identityOf(object, { kind, namespaced: decoder.namespaced, name: decoder.name })
    const decoded = decoder.decode(object, identity, warnings)
    if ('notFollowed' in decoded) return { outcome: 'ignored', id: identity.id, name: identity.id, why: decoded }
    return { outcome: 'decoded', id: identity.id, object: decoded, warnings: warnings.list() }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return refused(identity, name, error.problem)
  }
}

function refused(identity: Identity | undefined, name: string, error: DecodeProblem): DecodeResult {
  return { outcome: 'refused', id: identity?.id, name: identity?.id ?? name, error }
}

function missing(field: string, value: unknown, example: string): DecodeProblem {
  return {
    path: field,
    seen: show(value),
    expected: `text, like ${example}`,
    advice: `Set ${field} as the API documentation of the object says.`,
  }
}

function isFollowedKind(kind: string): kind is ObjectKind {
  return Object.hasOwn(decoders, kind)
}

function otherKind(apiVersion: string, kind: string): NotFollowed {
  const reason = `${show(kind).slice(1, -1)} (${show(apiVersion).slice(1, -1)}) is not followed`
  if (kind === 'Endpoints' && apiVersion === 'v1') {
    const advice = 'Write EndpointSlices (discovery.k8s.io/v1) instead; Endpoints are deprecated.'
    return { notFollowed: 'kind', severity: 'warning', reason, advice }
  }
  if (isFollowedKind(kind)) {
    const advice = `${kind} is followed in ${decoders[kind].apiVersion} only; write it so if it is meant for Switchyard.`
    return { notFollowed: 'kind', severity: 'info', reason, advice }
  }
  if (kind === 'List') {
    return { notFollowed: 'kind', severity: 'warning', reason, advice: 'Give it items, and put no List inside a List.' }
  }
  return { notFollowed: 'kind', severity: 'info', reason, advice: 'Nothing to do.' }
}
