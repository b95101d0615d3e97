// A full table of connections drops every new one, whatever the rules say. Takes its fill, gives what to say about it. Pure.

export interface ConntrackFill {
  /** net.netfilter.nf_conntrack_count. */
  readonly count: number
  /** net.netfilter.nf_conntrack_max. */
  readonly max: number
}

/** Said above 95 %, taken back below 80 %, so that a table at the border is not talked about all the time. */
export function isUnderPressure({ count, max }: ConntrackFill, before: boolean): boolean {
  return max > 0 && count >= max * (before ? 0.8 : 0.95)
}
