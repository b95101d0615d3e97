// Where the kernel is not as it should be, as `switchyard verify -o json` prints it and /switchyard/v1/verify serves it. Within v1 fields may come, none
// goes or gets another meaning; null: there is none.
import type { IpFamily } from '../model/address.ts'
import type { ComparisonObject } from './comparison-object.ts'

export const verifyPath = '/switchyard/v1/verify'

export interface VerifyObject extends ComparisonObject<'Verification'> {
  readonly clean: boolean
  /** What was compared. */
  readonly families: readonly IpFamily[]
  /** Those in which no rule of a service proxy was found at all. Absent where a Switchyard from before this field answers. */
  readonly bare?: readonly IpFamily[]
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
