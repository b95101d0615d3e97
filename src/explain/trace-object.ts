// What would become of a packet, as `switchyard trace -o json` prints it and /switchyard/v1/trace serves it. Within v1 fields may come, none goes or
// gets another meaning; null: there is none.
import type { IpFamily } from '../model/address.ts'
import type { Protocol } from '../model/objects.ts'
import type { TraceStep } from '../modes/trace.ts'

/** `?from=FROM&to=TO`, both in the words of the command line. */
export const tracePath = '/switchyard/v1/trace'

export interface TraceObject {
  readonly apiVersion: 'switchyard/v1'
  readonly kind: 'Trace'
  readonly time: string
  /** When the kernel was read; at most a few seconds before. */
  readonly readAt: string
  readonly node: string
  readonly mode: string
  readonly from: TraceSender
  readonly to: TraceGoal
  /** Whose address and port that is. */
  readonly service: TracedService | null
  readonly verdict: 'endpoints' | 'refused' | 'dropped' | 'not a Service'
  /** The verdict with what makes it a fault; only `answered` is as it should be. Absent where a Switchyard from before this field answers. */
  readonly outcome?:
    | 'answered'
    | 'partly answered'
    | 'wrong target'
    | 'partly wrong target'
    | 'no route'
    | 'refused'
    | 'dropped'
    | 'not taken'
  /** What becomes of what part of connections like this, 0 to 1, together 1: where rules are missing, some may go to endpoints and others not. */
  readonly shares: { readonly endpoints: number; readonly refused: number; readonly dropped: number; readonly untouched: number }
  /** The verdict and its reasons, in sentences. */
  readonly summary: readonly string[]
  /** The chain or virtual server that chooses the endpoint, or the rule that refuses or drops. */
  readonly decidedBy: TraceStep | null
  readonly candidates: readonly TracedCandidate[]
  /** Endpoints of the service port that get nothing of this, with the reason. */
  readonly others: readonly TracedOther[]
  /** Whether it leaves with the node's address as its source, and why. */
  readonly masquerade: { readonly applies: 'always' | 'never' | 'for some endpoints'; readonly reason: string } | null
  /** Places that this node has no route to. Absent where they were not looked at. */
  readonly unroutable?: readonly Unroutable[]
  /** The rules and servers that it passes; of several endpoints, up to where they part. */
  readonly path: readonly TraceStep[]
  /** Where the kernel is not as it should be for this Service, or for all: the verdict is what the kernel does. */
  readonly drifts: readonly TracedDrift[]
  /** What could not be judged. */
  readonly unsure: readonly string[]
}

export interface TraceSender {
  /** As given: `pod/web-1`, `outside`. */
  readonly given: string
  readonly address: string
  readonly kind: 'pod' | 'node' | 'outside'
}

export interface TraceGoal {
  readonly given: string
  readonly family: IpFamily
  readonly address: string
  readonly port: number
  readonly protocol: Protocol
}

export interface TracedService {
  readonly service: string
  /** `default/web:http`. */
  readonly port: string
  readonly type: string
  readonly addressKind: 'cluster IP' | 'external address' | 'load balancer' | 'node port'
  /** The policy that counts for this sender, and what the field is called. */
  readonly policy: string
}

export interface TracedCandidate {
  readonly endpoint: string
  readonly pod: string | null
  readonly node: string | null
  /** 0 to 1. Where the choice is not by chance, of any client: `summary` says what it depends on. */
  readonly probability: number
  /** In ipvs mode. */
  readonly weight: number | null
  readonly masquerade: boolean
  /** False: it is no endpoint of the Service, or is to get no connections; null: the address is no Service's. Absent where a Switchyard from before this field answers. */
  readonly wanted?: boolean | null
  /** Why it is not wanted, or what else there is to know; absent as `wanted`. */
  readonly note?: string | null
}

export interface TracedOther {
  readonly endpoint: string
  readonly pod: string | null
  readonly node: string | null
  /** `not ready`, `on another node, and externalTrafficPolicy is Local`. */
  readonly reason: string
}

export interface Unroutable {
  readonly address: string
  /** An endpoint's, the sender's, to which answers go, or the one that the node's own process sends to. */
  readonly what: 'endpoint' | 'sender' | 'destination'
  /** Which connections fail by it. */
  readonly cuts: 'all' | 'some'
}

export interface TracedDrift {
  readonly what: string
  readonly kind: 'missing' | 'changed' | 'unexpected'
  readonly service: string | null
  /** What it means for connections. */
  readonly meaning: string
}
