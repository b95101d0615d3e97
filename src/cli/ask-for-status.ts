// One request to a daemon's status → the status, or a sentence that says who does not answer and what to do.
import { serverHeader } from '../server/http.ts'
import { type Status, statusPath, statusVersion } from '../server/status-object.ts'

export type StatusAnswer = { readonly status: Status } | { readonly problem: string }

const patienceMs = 5000

/** @param at `127.0.0.1:10249`. Never rejects. */
export async function askForStatus(at: string, timeoutMs = patienceMs): Promise<StatusAnswer> {
  try {
    const response = await fetch(`http://${at}${statusPath}`, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    return response.ok ? read(at, await response.text()) : { problem: somebodyElse(at, response) }
  } catch (error) {
    return { problem: noAnswer(at, error) }
  }
}

/** Whoever says that it is this object is believed. */
function read(at: string, body: string): StatusAnswer {
  const value = parse(body)
  const isStatus = value?.['apiVersion'] === statusVersion && value['kind'] === 'Status' && Array.isArray(value['families'])
  return isStatus ? { status: value as unknown as Status } : { problem: `what answers at ${at} is no Switchyard` }
}

function parse(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

function somebodyElse(at: string, { status, headers }: Response): string {
  if (headers.get('server') === serverHeader)
    return `the Switchyard at ${at} is of another version, it has no status to tell (HTTP ${status})`
  return `what answers at ${at} is no Switchyard (HTTP ${status}); is kube-proxy still running on this node?`
}

function noAnswer(at: string, error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `${at} takes connections and says nothing; is that port Switchyard's?`
  const code = error instanceof Error && error.cause instanceof Error && 'code' in error.cause ? ` (${error.cause.code})` : ''
  return `nothing answers at ${at}${code}; is switchyard running on this node (in its network namespace)? --metrics-bind-address names another place`
}
