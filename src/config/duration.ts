// Go's duration text (time.ParseDuration and Duration.String), as KubeProxyConfiguration and kube-proxy's flags write it.
// Takes text, gives milliseconds, to the nanosecond (which is Go's own resolution), and back.

const millisecondsPerUnit: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek letter mu: Go takes both
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g
const whole = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/

/** Go counts nanoseconds in a signed 64-bit number: about 292 years. */
const longestMs = 2 ** 63 / 1e6

/** Milliseconds, or undefined where Go would refuse the text: `1h2m3.5s`, `300ms`, `-1s` and `0` are durations, `30` is none. */
export function parseDuration(text: string): number | undefined {
  if (!whole.test(text)) return undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(part)) ms += Number(amount) * (millisecondsPerUnit[unit ?? ''] ?? Number.NaN)
  if (ms >= longestMs) return undefined
  const rounded = Number(ms.toFixed(6))
  return text.startsWith('-') && rounded !== 0 ? -rounded : rounded
}

/** As Go prints it: `0s`, `300ms`, `1.5s`, `1m0s`, `24h0m0s`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (ms === 0) return '0s'
  if (ms < 1e-3) return `${decimal(ms * 1e6)}ns`
  if (ms < 1) return `${decimal(ms * 1e3)}µs`
  if (ms < 1_000) return `${decimal(ms)}ms`
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor((ms % 3_600_000) / 60_000)
  const seconds = `${decimal((ms % 60_000) / 1_000)}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}

/** Without the noise of binary fractions, and never with an exponent. */
function decimal(value: number): string {
  return String(Number(value.toFixed(9)))
}
