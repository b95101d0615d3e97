// What an API server answers in words: the Status object of a refused request or of a watch's ERROR event. Pure.
import type { ApiFailure } from './failure.ts'

/** The fields of meta/v1 Status that say what to do. */
export interface ApiStatus {
  /** HTTP status. */
  readonly code: number
  readonly reason: string | undefined
  readonly message: string
  /** details.retryAfterSeconds. */
  readonly retryAfterSeconds: number | undefined
  /** details.causes[].reason. */
  readonly causes: readonly string[]
}

/** Reads what claims to be a Status; whatever is missing is taken from the HTTP status. */
export function readStatus(value: unknown, httpStatus: number): ApiStatus {
  const status = record(value)
  const details = record(status['details'])
  const { code, reason, message } = status
  const { retryAfterSeconds, causes } = details
  return {
    code: typeof code === 'number' ? code : httpStatus,
    reason: typeof reason === 'string' && reason !== '' ? reason : undefined,
    message: typeof message === 'string' ? printable(message) : '',
    retryAfterSeconds: typeof retryAfterSeconds === 'number' && retryAfterSeconds >= 0 ? retryAfterSeconds : undefined,
    causes: Array.isArray(causes) ? causes.map(cause => String(record(cause)['reason'] ?? '')) : [],
  }
}

/** The same for a body that may be anything: JSON, a proxy's page, nothing. */
export function readStatusText(body: string, httpStatus: number): ApiStatus {
  try {
    return readStatus(JSON.parse(body), httpStatus)
  } catch {
    return { ...readStatus(undefined, httpStatus), message: printable(body) }
  }
}

export function classifyStatus({ code, reason, message, causes }: ApiStatus): ApiFailure {
  if (causes.includes('ResourceVersionTooLarge') || message.includes('Too large resource version')) return 'version too new'
  if (code === 400 && /field label not supported|not a known field selector/i.test(message)) return 'selector rejected'
  if (code === 410 || reason === 'Expired' || reason === 'Gone') return 'expired'
  if (code >= 500) return 'server error'
  return byCode[code] ?? 'rejected'
}

const byCode: Readonly<Record<number, ApiFailure>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  408: 'timed out',
  429: 'too many requests',
}

/** Retry-After of RFC 9110: seconds or a date. Milliseconds; undefined where there is none or it is neither. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** One line that a log can take: no control characters, not longer than an API server's usual message. */
function printable(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return line.length > 500 ? `${line.slice(0, 500)}...` : line
}
