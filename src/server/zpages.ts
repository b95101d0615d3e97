// /statusz and /flagz: what this process is and how it was started, as text for people or as a versioned object.
import { stringify } from 'yaml'
import { type Handler, type HttpResponse, jsonResponse, textResponse } from './http.ts'
import { acceptable, negotiate, type StructuredVersion } from './negotiate.ts'

/** The component whose pages these are; tools look for this name. */
const component = 'kube-proxy'

export interface ProcessStatus {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly now: number
  readonly version: string
  /** `v24.21.0`. */
  readonly nodeVersion: string
  /** The Kubernetes version of the kube-proxy that this one stands in for. */
  readonly emulationVersion: string
  /** Paths that are served beside this one. */
  readonly paths: readonly string[]
}

/** @param random from 0 to below 1: the text's delimiter changes by chance, so that nobody comes to parse it. */
export function statuszHandler(status: () => ProcessStatus, random: () => number = Math.random): Handler {
  return ({ accept }) =>
    page({
      accept,
      kind: 'Statusz',
      text: () => statusText(status(), delimiter(random)),
      fields: () => statusFields(status()),
    })
}

/** @param flags every flag with its value, as text. */
export function flagzHandler(flags: () => Readonly<Record<string, string>>, random: () => number = Math.random): Handler {
  return ({ accept }) =>
    page({
      accept,
      kind: 'Flagz',
      text: () => flagText(flags(), delimiter(random)),
      fields: () => ({ flags: flags() }),
    })
}

interface Page {
  readonly accept: string | undefined
  readonly kind: 'Statusz' | 'Flagz'
  readonly text: () => string
  readonly fields: () => object
}

function page({ accept, kind, text, fields }: Page): HttpResponse {
  const wanted = negotiate(accept, kind)
  if (wanted.form === 'text') return textResponse(200, text())
  if (wanted.form === 'none') return notAcceptable(kind)
  const object = { kind, apiVersion: `config.k8s.io/${wanted.version}`, metadata: { name: component }, ...fields() }
  const body = wanted.form === 'json' ? JSON.stringify(object) : stringify(object)
  const contentType = `application/${wanted.form}`
  return { status: 200, contentType, headers: warningFor(wanted.version), body }
}

function warningFor(version: StructuredVersion): Readonly<Record<string, string>> {
  return version === 'v1alpha1' ? { warning: '299 - "config.k8s.io/v1alpha1 is deprecated, ask for v1beta1"' } : {}
}

function notAcceptable(kind: 'Statusz' | 'Flagz'): HttpResponse {
  const message = `only these media types are served here: ${acceptable(kind).join(', ')}`
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: 'NotAcceptable',
    code: 406,
  }
  return jsonResponse(406, JSON.stringify(status))
}

function delimiter(random: () => number): string {
  const delimiters = [':', ': ', '=', ' ']
  return delimiters[Math.floor(random() * delimiters.length)] ?? ':'
}

const notForMachines = 'For people only: the form of this text changes from one request to the next.'

function statusText(status: ProcessStatus, delimit: string): string {
  const { startedAt, now, version, nodeVersion, emulationVersion, paths } = status
  const rows = [
    ['Started', new Date(startedAt).toUTCString()],
    ['Up', uptime(Math.floor((now - startedAt) / 1000))],
    ['Runtime', `Node.js ${nodeVersion}`],
    ['Binary version', `Switchyard ${version}`],
    ['Emulation version', emulationVersion],
    ['Paths', paths.join(' ')],
  ]
  return `\n${component} statusz\n${notForMachines}\n\n${lines(rows, delimit)}`
}

function flagText(flags: Readonly<Record<string, string>>, delimit: string): string {
  const rows = Object.keys(flags)
    .sort()
    .map(name => [name, flags[name] ?? ''])
  return `\n${component} flags\n${notForMachines}\n\n${lines(rows, delimit)}`
}

function lines(rows: readonly (readonly string[])[], delimit: string): string {
  return rows.map(row => `${row.join(delimit)}\n`).join('')
}

/** `goVersion` is the object's name for the runtime. */
function statusFields({ startedAt, now, version, nodeVersion, emulationVersion, paths }: ProcessStatus): object {
  return {
    startTime: new Date(startedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
    uptimeSeconds: Math.floor((now - startedAt) / 1000),
    goVersion: `Node.js ${nodeVersion}`,
    binaryVersion: version,
    emulationVersion,
    paths,
  }
}

function uptime(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${Math.floor(seconds / 3600)} hr ${two(Math.floor(seconds / 60) % 60)} min ${two(seconds % 60)} sec`
}
