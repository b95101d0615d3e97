// Takes a share, gives the text that iptables-save prints for it, so that a rule that is read back equals the rule that was written.

/**
 * `part` of `whole`, less than all of it, as the kernel keeps it: kube-proxy writes ten digits, iptables rounds them to a multiple of 2^-31 and
 * prints eleven, exact halves (one in 4096) as their even neighbour, as printf(3) does and toFixed does not.
 */
export function shareOf(part: number, whole: number): string {
  const written = Number((part / whole).toFixed(10))
  const kept = BigInt(Math.round(written * 2 ** 31))
  return `0.${divideEven(kept * 10n ** 11n, 2n ** 31n)
    .toString()
    .padStart(11, '0')}`
}

function divideEven(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  const doubled = 2n * (dividend % divisor)
  const up = doubled > divisor || (doubled === divisor && quotient % 2n === 1n)
  return up ? quotient + 1n : quotient
}
