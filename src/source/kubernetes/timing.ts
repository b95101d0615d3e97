// All the bounds of following the API server, with their reasons. Milliseconds unless the name says otherwise.
// What follows from the defaults for how stale a node can be:
// - a connection that breaks, a watch that is refused, a version that is gone: 1.6 s after the server is well again where that
//   was the first failure, 60 s after a long outage (or what Retry-After says, up to 5 minutes);
// - a connection that is half-open: 3 minutes more; where the peer is gone altogether, the kernel finds out within 40 s;
// - a server that came back from a backup: as a broken connection, unless its new history has overtaken the version that we
//   knew before we were back; nothing on the wire tells that case apart (`etcdctl snapshot restore --bump-revision` avoids it).

export interface ReflectorTiming {
  /** Wait after the first failure; doubled for each further one (client-go's reflector: 0.8 s). */
  readonly firstDelayMs: number
  /** Where the doubling ends. With its jitter a wait is at most twice this long. */
  readonly longestDelayMs: number
  /** A stream that held this long wipes out the failures before it. */
  readonly goodAfterMs: number
  /** Retry-After is honoured up to this: a stray proxy's "come back tomorrow" must not leave a node stale for a day. */
  readonly longestRetryAfterMs: number
  /** Watches end by themselves after a random time in this range, so that nodes spread over API servers (client-go: 5 to 10 minutes). */
  readonly watchSeconds: { readonly least: number; readonly most: number }
  /** A watch that brings neither event nor bookmark for this long is half-open. Bookmarks come about once a minute. */
  readonly silentMs: number
  /** A watch that the server ends sooner than this without a word counts as a failure. */
  readonly shortWatchMs: number
  /** While the initial set is streamed: the longest silence before the end bookmark. */
  readonly initialSilentMs: number
  /** While the initial set is streamed: the longest it may take. A server that does not know the request never sends the end bookmark. */
  readonly initialTotalMs: number
  /** While a LIST is read: the longest silence. An API server answers or gives up within 60 s by default. */
  readonly listSilentMs: number
  /** How long a refusal of the streamed list is remembered; the server may have been upgraded since. */
  readonly refusalMs: number
  /** How long the first complete update waits for the own Node once Services and EndpointSlices are there. */
  readonly ownNodeMs: number
}

export const defaultTiming: ReflectorTiming = {
  firstDelayMs: 800,
  longestDelayMs: 30_000,
  goodAfterMs: 120_000,
  longestRetryAfterMs: 300_000,
  watchSeconds: { least: 300, most: 600 },
  silentMs: 180_000,
  shortWatchMs: 1000,
  initialSilentMs: 15_000,
  initialTotalMs: 120_000,
  listSilentMs: 65_000,
  refusalMs: 3_600_000,
  ownNodeMs: 5000,
}
