// Upper bounds of histograms, seconds.

export function exponentialBuckets({
  start,
  factor,
  count,
}: {
  start: number
  factor: number
  count: number
}): readonly number[] {
  return Array.from({ length: count }, (_, index) => Number((start * factor ** index).toPrecision(12)))
}

export function linearBuckets({ start, width, count }: { start: number; width: number; count: number }): readonly number[] {
  return Array.from({ length: count }, (_, index) => start + width * index)
}

/** kube-proxy's for syncs and conntrack: 1 ms doubled to 16.384 s. */
export const syncBuckets = exponentialBuckets({ start: 0.001, factor: 2, count: 15 })

/** kube-proxy's for network programming: fine below a minute, coarse up to five. */
export const programmingBuckets = [
  ...[0.25, 0.5],
  ...linearBuckets({ start: 1, width: 1, count: 59 }),
  ...linearBuckets({ start: 60, width: 5, count: 12 }),
  ...linearBuckets({ start: 120, width: 30, count: 7 }),
]
