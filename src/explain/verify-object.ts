// Where the kernel is not as it should be, as `switchyard verify -o json` prints it and /switchyard/v1/verify serves it. Within v1 fields may come, none
// goes or gets another meaning; null: there is none.
import type { IpFamily } from '../model/address.ts'

export const verifyPath = '/switchyard/v1/verify'

export interface VerifyObject {
  readonly apiVersion: 'switchyard/v1'
  readonly kind: 'Verification'
  readonly time: string
  /** When the kernel was read; at most a few seconds before. */
  readonly readAt: string
  readonly node: string
  readonly mode: string
  /** `manifests in /etc/switchyard`, `the API server at https://10.0.0.1:6443`. */
  readonly source: string
  /** False: something could not be read, so what no known Service has is not called unexpected, since it may be its. */
  readonly sweeps: boolean
  readonly clean: boolean
  /** What was compared. */
  readonly families: readonly IpFamily[]
  /** Those in which no rule of a service proxy was found at all. */
  readonly bare: readonly IpFamily[]
  /** The fixed part first (`service` null), then by namespace and name. */
  readonly drifts: readonly VerifiedDrift[]
}

export interface VerifiedDrift {
  /** Null: a kernel parameter, which counts for both. */
  readonly family: IpFamily | null
  readonly kind: 'missing' | 'changed' | 'unexpected'
  /** `nat chain KUBE-SERVICES: rule -d 10.96.0.1/32 ...`, `kernel parameter net.ipv4.vs.conntrack: 0, expected 1`. */
  readonly what: string
  /** `default/web`. */
  readonly service: string | null
  /** What it means for connections. */
  readonly meaning: string
}
