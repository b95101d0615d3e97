// A flow: packets that someone sends, and their fate. Decodes the rows of test/cases/<case>/flows.yaml, strictly: a key or a word
// that is not in the grammar of test/cases/README.md is an error that names the row.
import { isIPv4, isIPv6 } from 'node:net'
import * as v from 'valibot'
import type { TransportProtocol } from '../lab/agent/protocol.ts'

export type ProxyMode = 'iptables' | 'ipvs'

export interface Answers {
  /** Every one of these answers, and nobody else: `a`, or `a:8081` where the port matters too. */
  readonly to: readonly string[]
  /** What they see as the source: the sender's own address, or one of the node's. */
  readonly source: 'kept' | 'node'
}

/**
 * refused: the sender is told that there is nobody. dropped: silence, and nothing passes the node.
 * untouched: the proxy leaves it alone, so that it goes where the node's routes lead: to a listener of the node itself where
 * the address is the node's, else to a network where nobody answers.
 */
export type Silence = 'refused' | 'dropped' | 'untouched'

export type Expectation = Answers | Silence

export interface Destination {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  readonly port: number
  readonly protocol: TransportProtocol
}

export interface Flow {
  /** `from -> to: expectation`, unique within a case: the name of the sub-test. */
  readonly title: string
  /** `outside`, `outside/far`, `node`, `pod/NAME`. */
  readonly from: string
  readonly to: Destination
  /** What a mode is to do with it, or why it need not. */
  readonly expect: Expectation | { readonly notSupported: string }
  /** How many connections; undefined: as many as the expectation needs. */
  readonly repeat: number | undefined
  readonly spread: 'uniform' | undefined
  /** All connections of one source reach the same endpoint. */
  readonly sticky: boolean
  /** Seconds after which a source without connections is forgotten. */
  readonly expiresAfter: number | undefined
}

const answers = v.strictObject({ to: v.pipe(v.array(v.string()), v.minLength(1)), source: v.picklist(['kept', 'node']) })
const expectation = v.union([v.picklist(['refused', 'dropped', 'untouched']), answers])
const sender = v.pipe(v.string(), v.regex(/^(outside|outside\/far|node|pod\/[a-z0-9-]+)$/))
const oneOrMore = <T extends v.GenericSchema<unknown, string>>(schema: T) =>
  v.pipe(
    v.union([schema, v.array(schema)]),
    v.transform(value => (Array.isArray(value) ? value : [value])),
  )

/** The keys of a row. Exported so that a test can tell that each of them is in use. */
export const rowEntries = {
  from: oneOrMore(sender),
  to: oneOrMore(v.string()),
  expect: expectation,
  repeat: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  spread: v.optional(v.literal('uniform')),
  sticky: v.optional(v.literal(true)),
  expiresAfter: v.optional(v.pipe(v.number(), v.minValue(1))),
  modes: v.optional(
    v.strictObject({
      iptables: v.optional(v.union([expectation, v.strictObject({ notSupported: v.string() })])),
      ipvs: v.optional(v.union([expectation, v.strictObject({ notSupported: v.string() })])),
    }),
  ),
}

const rows = v.pipe(v.array(v.strictObject(rowEntries)), v.minLength(1))
type Row = v.InferOutput<typeof rows>[number]

/** The flows of one case in one mode: a row with several senders or addresses becomes one flow each. Throws with the row's number. */
export function decodeFlows(document: unknown, mode: ProxyMode): readonly Flow[] {
  const decoded = v.safeParse(rows, document)
  if (!decoded.success) {
    throw new Error(decoded.issues.map(issue => `${v.getDotPath(issue) ?? 'flows'}: ${issue.message}`).join('\n'))
  }
  const flows = decoded.output.flatMap((row, position) => expand(row, { mode, where: `row ${position + 1}` }))
  const double = flows.find((flow, position) => flows.findIndex(other => other.title === flow.title) !== position)
  if (double !== undefined) throw new Error(`two rows say the same: ${double.title}`)
  return flows
}

function expand(row: Row, { mode, where }: { mode: ProxyMode; where: string }): readonly Flow[] {
  const { repeat, spread, expiresAfter, sticky = false, modes } = row
  const expect = modes?.[mode] ?? row.expect
  const shared = { expect, repeat, spread, expiresAfter, sticky }
  if ((spread !== undefined || sticky) && typeof row.expect === 'string')
    throw new Error(`${where}: spread and sticky need an expectation with \`to\``)
  if (expiresAfter !== undefined && !(sticky && row.from.every(from => from === 'outside'))) {
    throw new Error(`${where}: expiresAfter needs \`sticky: true\` and \`from: outside\`, which has addresses enough to tell`)
  }
  if (row.to.some(to => to.endsWith('/SCTP')) && [row.expect, expect].includes('refused'))
    throw new Error(`${where}: over SCTP nobody can tell refused from dropped: Linux tries on whatever ICMP says`)
  return row.from.flatMap(from =>
    row.to.map(to => ({ ...shared, from, to: decodeDestination(to, where), title: title(from, to, row) })),
  )
}

function title(from: string, to: string, { expect, spread, sticky, expiresAfter }: Row): string {
  const fate = typeof expect === 'string' ? expect : `${expect.to.join(' ')} (source: ${expect.source})`
  const manner = [
    spread,
    sticky ? 'sticky' : undefined,
    expiresAfter === undefined ? undefined : `forgotten after ${expiresAfter} s`,
  ]
  return [`${from} -> ${to}: ${fate}`, ...manner.filter(word => word !== undefined)].join(', ')
}

function decodeDestination(text: string, where: string): Destination {
  const [, bracketed, plain, port, protocol] = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):(\d+)\/(TCP|UDP|SCTP)$/.exec(text) ?? []
  const address = bracketed ?? plain ?? ''
  const known = bracketed === undefined ? isIPv4(address) : isIPv6(address)
  if (!known || (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'SCTP')) {
    throw new Error(`${where}: \`to: ${text}\` is not ADDRESS:PORT/TCP, /UDP or /SCTP (IPv6 in brackets)`)
  }
  return { address, family: bracketed === undefined ? 'ipv4' : 'ipv6', port: Number(port), protocol }
}
