// What a packet would meet in the kernel: between a mode, which walks the rules that are really there, and `explain/`, which says what that means.
import type { Address, IpFamily } from '../model/address.ts'
import type { Protocol } from '../model/objects.ts'
import type { KernelParameters } from './kernel-parameters.ts'

/** The first packet of a connection that connection tracking does not know yet. */
export interface Packet {
  readonly family: IpFamily
  readonly protocol: Protocol
  readonly source: Address
  readonly destination: Address
  readonly port: number
  /** The node's own leave by OUTPUT; all others come in by an interface. */
  readonly origin: 'node' | 'interface'
  /** That interface, where it is known: rules of detectLocalMode BridgeInterface and InterfaceNamePrefix ask for it. */
  readonly interface: string | undefined
  /** All addresses of this node, loopback included, but for those on kube-ipvs0: what `--dst-type LOCAL` matches before ipvs mode adds its own. */
  readonly localAddresses: ReadonlySet<Address>
  /** Of the kernel that it passes. */
  readonly parameters?: KernelParameters
}

/** A rule that matched, or a virtual server that took the packet. */
export interface TraceStep {
  /** `nat chain KUBE-SERVICES`, `virtual server -t 10.96.0.1:80`, `kernel parameter net.ipv4.ip_forward`. */
  readonly where: string
  /** The rule as iptables-save prints it without `-A CHAIN `; the scheduler and flags of a virtual server; `policy DROP`; a parameter's value. */
  readonly what: string
}

/** One of the things that may become of the packet. */
export interface Branch {
  /** 0 to 1; those of a trace add up to 1. Under session affinity: of a client that has no endpoint yet. */
  readonly probability: number
  /** `untouched`: no Service takes it, and it goes on as any packet does. */
  readonly verdict: 'endpoint' | 'refused' | 'dropped' | 'untouched'
  /** `10.244.1.11:8080`; undefined but for verdict `endpoint`. */
  readonly endpoint: string | undefined
  /** Of the real server; undefined where the mode has no weights. */
  readonly weight: number | undefined
  /** What makes it leave with the node's own address as its source; undefined: its source stays. */
  readonly masquerade: TraceStep | undefined
  readonly path: readonly TraceStep[]
}

export interface Trace {
  readonly branches: readonly Branch[]
  /** The packet's, but for the node's own to one of its own addresses: there the kernel takes that one as the source. */
  readonly source: Address
  /** How the endpoint is chosen: `by a hash of the client's address (scheduler sh)`; then the probabilities are those of any client. Undefined: by chance, as they say. */
  readonly choice: string | undefined
  /** What could not be judged, such as a match in a rule of others, in words; what follows from it may be wrong. */
  readonly unsure: readonly string[]
}

/** Nothing is kept between calls but what `outputs` say, understood as far as packets came. */
export type Tracer = (packet: Packet) => Trace
