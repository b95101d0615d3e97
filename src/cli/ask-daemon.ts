// One request to the daemon of this node → an object of ours, or a sentence that says who does not answer and what to do.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { flags as runFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { parseSocketAddress } from '../config/socket-address.ts'
import { findKubeProxy, findWriter } from '../kernel/writers.ts'
import { hostPort, parseAddress } from '../model/address.ts'
import { serverHeader } from '../server/http.ts'
import { type HttpAnswer, httpGet } from './http-get.ts'
import { kubeProxyPlace } from './only-writer.ts'
import { plain } from './plain.ts'

export type DaemonAnswer<T> = { readonly object: T } | NoAnswer

export interface NoAnswer {
  readonly problem: string
  /** It answers, and what it was asked for is wrong or not there. */
  readonly refused?: true
  /** The configuration that should say where to ask is wrong: exit status 64. */
  readonly misconfigured?: true
}

/** A full read of a large node's rules takes seconds. */
const patienceMs = 60_000

export interface DaemonPlace {
  readonly 'metrics-bind-address'?: string | undefined
  readonly config?: string
}

/**
 * The flag's, else the file's, else the default. Never rejects.
 * @param options.path with its query; `kind` is what the object says that it is.
 */
export async function askDaemon<T>(options: {
  readonly place: DaemonPlace
  readonly path: string
  readonly kind: string
  readonly timeoutMs?: number
}): Promise<DaemonAnswer<T>> {
  const { place, path, kind, timeoutMs = patienceMs } = options
  const found = placeOf(place)
  if ('problem' in found) return found
  const { at } = found
  try {
    const response = await httpGet(`http://${at}${path}`, timeoutMs)
    if (response.status === 200) return read(at, kind, response.body)
    return refusalOf(at, response)
  } catch (error) {
    return { problem: await noAnswer(at, error) }
  }
}

function placeOf({ config = '', 'metrics-bind-address': given }: DaemonPlace): { readonly at: string } | NoAnswer {
  if (given !== undefined || config === '') return toAsk(given ?? String(runFlags['metrics-bind-address'].default))
  const readFile = (path: string): string => readFileSync(path, 'utf8')
  const { errors, effective } = loadConfig({ flags: { config }, readFile, hostname: hostname() })
  return errors[0] === undefined
    ? toAsk(effective.metricsBindAddress)
    : { problem: formatProblem(errors[0]), misconfigured: true }
}

/** A server on every address answers on loopback. */
function toAsk(bind: string): { readonly at: string } | { readonly problem: string } {
  const socket = parseSocketAddress(bind)
  if (socket === undefined) return { problem: 'there is no metrics port to ask: metricsBindAddress is empty' }
  const { address, port } = socket
  const loopback = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : undefined
  return { at: hostPort((loopback === undefined ? undefined : parseAddress(loopback)) ?? address, port) }
}

/** Whoever says that it is this object is believed. */
function read<T>(at: string, kind: string, body: string): DaemonAnswer<T> {
  try {
    const value: unknown = JSON.parse(body)
    const isOurs = typeof value === 'object' && value !== null && 'apiVersion' in value && 'kind' in value
    if (isOurs && value.apiVersion === 'switchyard/v1' && value.kind === kind) return { object: value as T }
  } catch {
    // Said below.
  }
  return { problem: `what answers at ${at} is no Switchyard` }
}

function refusalOf(at: string, { status, server, body }: HttpAnswer): DaemonAnswer<never> {
  const reason = plain(body)
  const isOurs = server === serverHeader
  if (!isOurs)
    return { problem: `what answers at ${at} is no Switchyard (HTTP ${status}); is kube-proxy still running on this node?` }
  if (status === 404 && reason.startsWith('there is no /'))
    return { problem: `the Switchyard at ${at} is of another version and does not tell this` }
  // In words of its own.
  if (status === 400 || status === 404) return { problem: reason, refused: true }
  return { problem: `the Switchyard at ${at} says: ${reason}` }
}

async function noAnswer(at: string, error: unknown): Promise<string> {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `${at} takes connections and says nothing; is that port Switchyard's?`
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  const writer = await findWriter().catch(() => undefined)
  return `nothing answers at ${at}${code === undefined ? '' : ` (${code}${hintOf(code)})`}; ${await whyNot(writer)}`
}

function hintOf(code: string): string {
  const isNoWay = ['ENETUNREACH', 'EADDRNOTAVAIL'].includes(code)
  return isNoWay ? ': is the loopback link up in this network namespace? ip link set lo up' : ''
}

/** @param writer who claims to program this node. */
async function whyNot(writer: string | undefined): Promise<string> {
  const place = '--metrics-bind-address names another place'
  if (writer === undefined) return `is switchyard running on this node (in its network namespace)? ${place}`
  const kubeProxy = await findKubeProxy(kubeProxyPlace).catch(() => undefined)
  return kubeProxy === undefined
    ? `${plain(writer)} is here: it has only just started, or its metricsBindAddress is another; ${place}`
    : `${plain(writer)} is here, and so is ${kubeProxy}: a Switchyard that starts waits until that has ended; stop it, its rules stay`
}
