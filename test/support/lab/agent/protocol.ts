// What the lab and its agents say to each other: one JSON object a line, a request with a number and an answer with the same.
// The agent is the program inside a namespace: it serves, connects, and holds connections there.

export type TransportProtocol = 'TCP' | 'UDP' | 'SCTP'

export interface ServeOptions {
  /** What the server calls itself in its answers. */
  readonly name: string
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  /** None where nothing is said: not every kernel has SCTP. */
  readonly sctp?: readonly number[]
}

export interface Target {
  readonly protocol: TransportProtocol
  readonly address: string
  readonly port: number
  /** The source address to bind; the kernel's choice where absent. */
  readonly from?: string | undefined
  /** Milliseconds until a connection without an answer counts as timed out. */
  readonly timeoutMs: number
}

export interface ConnectOptions extends Target {
  /** How many connections. */
  readonly count: number
  /** How many of them at a time. */
  readonly parallel: number
}

export interface LoadOptions extends Target {
  readonly perSecond: number
}

/** Where a connection came from, as the client's socket says. Empty and 0 where it never got that far. */
export interface LocalEnd {
  readonly localAddress: string
  readonly localPort: number
}

export type Answered = LocalEnd & {
  readonly ok: true
  /** Who answered, on which port of its own, and the source `address:port` that it saw (IPv6 in brackets). */
  readonly name: string
  readonly port: number
  readonly source: string
  /** Milliseconds since 1970 when the connection was begun and when its answer was there. */
  readonly startedAt: number
  readonly endedAt: number
}

/**
 * refused: ECONNREFUSED, by a reset or an ICMP port unreachable. unreachable: an ICMP answer of the network says that there is no way.
 * timeout: silence. reset: accepted and then cut. other: see the detail.
 */
export type FailureReason = 'refused' | 'unreachable' | 'timeout' | 'reset' | 'other'

export type Failed = LocalEnd & {
  readonly ok: false
  readonly reason: FailureReason
  readonly detail: string
  readonly startedAt: number
  readonly endedAt: number
}

export type Outcome = Answered | Failed

export interface LoadReport {
  readonly attempts: number
  /** Successful connections by the name that answered. */
  readonly answered: Readonly<Record<string, number>>
  readonly failures: readonly Failed[]
  /** The longest that a successful connection took, in milliseconds. */
  readonly slowestMs: number
}

/** Every request an agent understands, with what it takes and gives. Numbers name a running load or a held connection. */
export interface Requests {
  serve: { takes: ServeOptions; gives: null }
  connect: { takes: ConnectOptions; gives: readonly Outcome[] }
  startLoad: { takes: LoadOptions; gives: number }
  loadAttempts: { takes: number; gives: number }
  stopLoad: { takes: number; gives: LoadReport }
  hold: { takes: Target; gives: number }
  /** Sends a line over a held connection and waits for its echo. */
  pingHeld: { takes: { readonly held: number; readonly timeoutMs: number }; gives: Outcome }
  release: { takes: number; gives: null }
  /** Cut by a reset, which connection tracking forgets in seconds: a connection that was closed is remembered for minutes. */
  reset: { takes: number; gives: null }
  /** From now on the agent goes on when its starter is gone. */
  outlive: { takes: null; gives: null }
}

export type RequestName = keyof Requests

export interface RequestLine<Name extends RequestName = RequestName> {
  readonly id: number
  readonly name: Name
  readonly takes: Requests[Name]['takes']
}

export type AnswerLine = { readonly id: number; readonly gives: unknown } | { readonly id: number; readonly error: string }

/** What a server says about a connection, one line: friendly to a person with curl, exact for the client's parser. */
export function greeting({ name, port, source }: Pick<Answered, 'name' | 'port' | 'source'>): string {
  return `${name} on port ${port} sees ${source}\n`
}

export function parseGreeting(text: string): Pick<Answered, 'name' | 'port' | 'source'> | undefined {
  const [, name, port, source] = /^(\S+) on port (\d+) sees (\S+)\n$/.exec(text) ?? []
  return name === undefined || source === undefined ? undefined : { name, port: Number(port), source }
}

/** `address:port`, IPv6 in brackets; a dual-stack socket's `::ffff:` is taken off. */
export function endText(address: string, port: number): string {
  const plain = plainAddress(address)
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`
}

export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '')
}
