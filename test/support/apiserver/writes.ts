// POST and PATCH of Events (events.k8s.io/v1), checked as a real server checks them.
import type { History } from './history.ts'
import type { ParsedRequest } from './requests.ts'
import { type ApiObject, apiVersionOf, type ServedResource } from './resources.ts'
import { Refused } from './selectors.ts'
import { alreadyExists, badRequest, invalidObject, methodNotAllowed, objectNotFound } from './status.ts'

/** Gives the object as it is stored, with its status. Throws Refused. */
export function serveWrite(
  request: ParsedRequest,
  body: string,
  history: History,
): { readonly status: number; readonly object: ApiObject } {
  const { verb, resource } = request
  if (!resource.writable || (verb !== 'create' && verb !== 'patch')) throw new Refused(methodNotAllowed())
  const value = parseObject(body)
  return verb === 'create' ? create(request, value, history) : patch(request, value, history)
}

function create({ resource, namespace = 'default' }: ParsedRequest, value: Record<string, unknown>, history: History) {
  const object = {
    ...value,
    apiVersion: value['apiVersion'] ?? apiVersionOf(resource),
    kind: value['kind'] ?? resource.kind,
  } as ApiObject
  const given = object.metadata?.name ?? generatedName(object)
  const named = { ...object, metadata: { ...object.metadata, name: given, namespace: object.metadata?.namespace ?? namespace } }
  check(resource, named, namespace)
  if (history.get(resource, `${namespace}/${given}`) !== undefined) throw new Refused(alreadyExists(resource.plural, given))
  return { status: 201, object: history.put(named) }
}

function patch({ resource, namespace = 'default', name = '' }: ParsedRequest, value: Record<string, unknown>, history: History) {
  const before = history.get(resource, `${namespace}/${name}`)
  if (before === undefined) throw new Refused(objectNotFound(resource.plural, name))
  const after = merged(before, value) as ApiObject
  check(resource, after, namespace)
  return { status: 200, object: history.put(after) }
}

/** JSON merge patch (RFC 7386). */
function merged(target: unknown, change: unknown): unknown {
  if (!isRecord(change)) return change
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}

function check(resource: ServedResource, object: ApiObject, namespace: string): void {
  const { kind, apiVersion, metadata } = object
  if (kind !== resource.kind || apiVersion !== apiVersionOf(resource)) {
    throw new Refused(
      badRequest(
        `${String(kind)} (${String(apiVersion)}) in version "${resource.version}" cannot be handled as a ${resource.kind}`,
      ),
    )
  }
  if (metadata.namespace !== namespace) {
    throw new Refused(badRequest('the namespace of the provided object does not match the namespace sent on the request'))
  }
  const causes = eventFaults(object)
  if (causes.length > 0) throw new Refused(invalidObject(kind, metadata.name, causes))
}

/** The rules of events.k8s.io/v1: what must be there, and how long it may be. */
function eventFaults(event: ApiObject): readonly string[] {
  const text = (field: string) => (typeof event[field] === 'string' ? (event[field] as string) : '')
  const regarding = isRecord(event['regarding']) ? event['regarding'] : {}
  const home = regarding['namespace'] ?? 'default'
  return [
    ...(event.metadata.name === '' ? ['metadata.name: Required value: name or generateName is required'] : []),
    ...(text('eventTime') === '' ? ['eventTime: Required value'] : []),
    ...(text('reportingController') === '' ? ['reportingController: Required value'] : []),
    ...(text('reportingInstance') === '' ? ['reportingInstance: Required value'] : []),
    ...(text('reportingInstance').length > 128 ? ['reportingInstance: Too long'] : []),
    ...(text('action') === '' ? ['action: Required value'] : []),
    ...(text('action').length > 128 ? ['action: Too long'] : []),
    ...(text('reason') === '' ? ['reason: Required value'] : []),
    ...(text('reason').length > 128 ? ['reason: Too long'] : []),
    ...(text('note').length > 1024 ? ['note: Too long'] : []),
    ...(['Normal', 'Warning'].includes(text('type')) ? [] : ['type: Invalid value']),
    ...(home === event.metadata.namespace ? [] : ['regarding.namespace: Invalid value: does not match event.namespace']),
  ]
}

function generatedName({ metadata }: ApiObject): string {
  const prefix = metadata?.['generateName']
  return typeof prefix === 'string' ? `${prefix}${Math.random().toString(36).slice(2, 7)}` : ''
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    if (isRecord(value)) return value
  } catch {
    // Said below.
  }
  throw new Refused(badRequest('the object provided is unrecognized'))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
