// The kernel's error codes as the few reasons that tests tell apart.
import type { FailureReason } from './protocol.ts'

const reasons: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: 'refused',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ETIMEDOUT: 'timeout',
  // What a blocking socket's own time out ends with.
  EINPROGRESS: 'timeout',
  EAGAIN: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
}

export function reasonOfCode(code: string): FailureReason {
  return reasons[code] ?? 'other'
}

export function reasonOf(error: unknown): FailureReason {
  return reasonOfCode(error instanceof Error && 'code' in error ? String(error.code) : '')
}
