// The verify object → what a person reads: each difference with its Service and what it means for connections. Pure; colour is the caller's to give.
import { bareSentence } from '../explain/bare.ts'
import type { VerifiedDrift, VerifyObject } from '../explain/verify-object.ts'
import { visible } from './plain.ts'
import type { Paint } from './table.ts'

/** @param most how many differences a Service shows; undefined: all. */
export function verifyText(
  object: VerifyObject,
  { paint, most }: { readonly paint: Paint; readonly most: number | undefined },
): string {
  const { clean, node, mode, source, families, bare = [], drifts, sweeps } = object
  const compared = `${families.join(' and ')} of node ${node}, mode ${mode}, by ${source}`
  const unread = sweeps ? [] : ['Something could not be read: what no known Service has is not looked at, since it may be its.']
  if (clean) return [paint('good', `The kernel is as it should be: ${compared}`), ...unread, ''].join('\n')
  const groups = Map.groupBy(drifts, ({ service }) => service ?? 'for all Services')
  const count = drifts.length === 1 ? 'one difference' : `${drifts.length} differences`
  return [
    paint('bad', `The kernel is not as it should be: ${count} in ${compared}`),
    ...(bare.length === 0 ? [] : [bareSentence(bare)]),
    ...unread,
    ...[...groups].flatMap(([service, ofService]) => groupLines(service, ofService, { paint, most })),
    '',
  ].join('\n')
}

function groupLines(
  service: string,
  drifts: readonly VerifiedDrift[],
  { paint, most }: { readonly paint: Paint; readonly most: number | undefined },
): readonly string[] {
  const shown = most === undefined || drifts.length <= most + 1 ? drifts : drifts.slice(0, most)
  const more = drifts.length > shown.length ? [`  ... ${drifts.length - shown.length} more (--all)`] : []
  const lines = shown.flatMap(({ kind, what, family, meaning }) => [
    `  ${paint('bad', kind.padEnd(10))} ${visible(what)}${family === 'IPv6' ? ' (IPv6)' : ''}`,
    `             ${visible(meaning)}`,
  ])
  return ['', paint('title', service), ...lines, ...more]
}
