// A request that failed → an ApiError that answers the operator's next question. Pure.
import type { ApiRequest } from './api-request.ts'
import { type ApiStatus, classifyStatus } from './api-status.ts'
import { ApiError, type ApiFailure } from './failure.ts'

/** Which request, and to whom. */
export interface RequestContext {
  readonly request: ApiRequest
  /** The server's URL. */
  readonly server: string
  /** Where the credentials come from: `kubeconfig /etc/kubernetes/proxy.conf`. */
  readonly credentials: string
}

/** The server answered, but not with what was asked for. */
export function statusError(context: RequestContext, status: ApiStatus, retryAfterMs: number | undefined): ApiError {
  const kind = classifyStatus(status)
  const { code, reason, message, retryAfterSeconds } = status
  const answer = [`${code}${reason === undefined ? '' : ` (${reason})`}`, ...(message === '' ? [] : [message])].join(': ')
  return new ApiError({
    kind,
    message: `${subject(context)}: ${answer}`,
    advice: advice[kind](context),
    retryAfterMs: retryAfterMs ?? (retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000),
    status: code,
    reason,
  })
}

/** There was no answer, or it broke off. */
export function connectionError(context: RequestContext, error: unknown): ApiError {
  const kind = classifyConnection(error)
  return new ApiError({
    kind,
    message: `${subject(context)}: ${describe(error)}`,
    advice: advice[kind](context),
    cause: error,
  })
}

export function credentialsError(context: RequestContext, error: unknown): ApiError {
  const stated = error instanceof Error && 'advice' in error && typeof error.advice === 'string' ? error.advice : undefined
  return new ApiError({
    kind: 'credentials',
    message: `${subject(context)}: no credentials: ${describe(error)}`,
    advice: stated ?? advice.credentials(context),
    cause: error,
  })
}

function subject({ request, server }: RequestContext): string {
  const { verb, resource, namespace, name } = request
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`
  return `cannot ${verb} ${resource.plural}${name === undefined ? '' : ` ${name}`}${where} at ${server}`
}

const advice: Readonly<Record<ApiFailure, (context: RequestContext) => string>> = {
  unauthorized: ({ credentials }) =>
    `Check the token or client certificate of ${credentials}; it is read again before the next try.`,
  forbidden: ({ request: { verb, resource } }) =>
    `Allow ${verb === 'list' || verb === 'watch' ? 'list and watch' : verb} on ${resource.plural}` +
    ` (apiGroups: ["${resource.group}"]) in the ClusterRole that is bound to this account.`,
  'not found': ({ request: { resource } }) =>
    `Check that the URL is an API server's and that it serves ${resource.group === '' ? '' : `${resource.group}/`}${resource.version}.`,
  expired: () => 'Nothing: everything is read again.',
  'selector rejected': () => 'Nothing: the request is repeated without the field selector.',
  rejected: () => 'Check that the server is a Kubernetes API server of a supported version.',
  'too many requests': () => "Nothing, unless it goes on: then look at the API server's priority and fairness settings.",
  'version too new': () => 'Nothing: everything is read again.',
  'server error': () => "Look at the API server's log if it goes on.",
  network: ({ server }) =>
    `Check that ${server} can be reached from this node without the service network: a cluster address (such as 10.96.0.1) is served by nobody before a service proxy runs.`,
  certificate: ({ credentials }) =>
    `Check certificate-authority, tls-server-name and the client certificate of ${credentials}; they are read again before the next try.`,
  'timed out': ({ server }) => `Check the load on ${server} and the path to it.`,
  credentials: ({ credentials }) => `Check ${credentials}; it is read again before the next try.`,
}

function classifyConnection(error: unknown): ApiFailure {
  const code = codeOf(error)
  if (code === undefined) return 'network'
  if (code === 'ETIMEDOUT') return 'timed out'
  return isCertificateProblem(code) ? 'certificate' : 'network'
}

/** The codes of X.509 verification (`CERT_HAS_EXPIRED`, `SELF_SIGNED_CERT_IN_CHAIN`, ...) and of TLS alerts about certificates. */
function isCertificateProblem(code: string): boolean {
  return /CERT|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|ALERT_UNKNOWN_CA|KEY_VALUES_MISMATCH|INVALID_CA|INVALID_PURPOSE/.test(code)
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause)
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  // A connection tried over several addresses fails with one error that only lists the others.
  const message = error.message === '' && error instanceof AggregateError ? error.errors.map(describe).join('; ') : error.message
  return code === undefined || message.includes(code) ? message : `${message} (${code})`
}
