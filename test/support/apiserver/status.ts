// Answers of a Kubernetes API server that are no success, word for word as a real one (1.36) gives them where its clients look.
import type { ServedResource } from './resources.ts'

export interface Refusal {
  readonly status: StatusBody
  readonly headers?: Readonly<Record<string, string>>
}

export interface StatusBody {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Readonly<Record<string, never>>
  readonly status: 'Failure'
  readonly message: string
  readonly reason: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly code: number
}

function refusal(code: number, reason: string, message: string, details?: Readonly<Record<string, unknown>>): Refusal {
  const base = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason } as const
  return { status: { ...base, ...(details === undefined ? {} : { details }), code } }
}

export const unauthorized = refusal(401, 'Unauthorized', 'Unauthorized')

export function forbidden(verb: string, { plural, group }: ServedResource): Refusal {
  const message = `${plural} is forbidden: User "switchyard" cannot ${verb} resource "${plural}" in API group "${group}" at the cluster scope`
  return refusal(403, 'Forbidden', message, { kind: plural, ...(group === '' ? {} : { group }) })
}

export function notFound(what: string): Refusal {
  return refusal(404, 'NotFound', `the server could not find the requested resource${what}`, {})
}

export function badRequest(message: string): Refusal {
  return refusal(400, 'BadRequest', message)
}

/** What a real server says of a field selector that it does not index. */
export function fieldNotSupported(field: string): Refusal {
  return badRequest(`field label not supported: ${field}`)
}

export function methodNotAllowed(): Refusal {
  return refusal(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}

export function alreadyExists(plural: string, name: string): Refusal {
  return refusal(409, 'AlreadyExists', `${plural} "${name}" already exists`, { name, kind: plural })
}

export function objectNotFound(plural: string, name: string): Refusal {
  return refusal(404, 'NotFound', `${plural} "${name}" not found`, { name, kind: plural })
}

export function tooOld(version: number, oldest: number): Refusal {
  return refusal(410, 'Expired', `too old resource version: ${version} (${oldest})`)
}

export const continueTooOld = refusal(
  410,
  'Expired',
  'The provided continue parameter is too old to display a consistent list result.',
)

export function invalidOptions(field: string, message: string): Refusal {
  return refusal(422, 'Invalid', `ListOptions.meta.k8s.io "" is invalid: ${field}: ${message}`, {
    group: 'meta.k8s.io',
    kind: 'ListOptions',
    causes: [{ reason: 'FieldValueForbidden', message, field }],
  })
}

export const watchListDisabled = invalidOptions(
  'sendInitialEvents',
  'Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
)

export function invalidObject(kind: string, name: string, causes: readonly string[]): Refusal {
  return refusal(422, 'Invalid', `${kind} "${name}" is invalid: ${causes.join(', ')}`, { name, kind })
}

export function tooLargeVersion(version: number, current: number): Refusal {
  return refusal(504, 'Timeout', `Timeout: Too large resource version: ${version}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
}

/** Any status that a fault asks for. */
export function failing(code: number, retryAfterSeconds: number | undefined): Refusal {
  const known: Readonly<Record<number, readonly [string, string]>> = {
    429: ['TooManyRequests', 'Too many requests, please try again later.'],
    500: ['InternalError', 'Internal error occurred: etcdserver: no leader'],
    503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  }
  const [reason, message] = known[code] ?? ['InternalError', `status ${code}`]
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return { ...refusal(code, reason, message), headers }
}
