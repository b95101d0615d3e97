// What the plan object and the verify object begin with.

export interface ComparisonObject<Kind extends string> {
  readonly apiVersion: 'switchyard/v1'
  readonly kind: Kind
  readonly time: string
  /** When the kernel was read; at most a few seconds before. */
  readonly readAt: string
  readonly node: string
  /** What runs, or would run. */
  readonly mode: string
  /** `manifests in /etc/switchyard`, `the API server at https://10.0.0.1:6443`. */
  readonly source: string
  /** False: something could not be read, so what no known Service has is neither removed nor called unexpected, since it may be its. */
  readonly sweeps: boolean
}
