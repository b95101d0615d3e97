// Damage that somebody does to a node's kernel while the daemon stands still: `switchyard verify` names it, the daemon repairs, counts and logs it.
import assert from 'node:assert/strict'
import type { VerifiedDrift, VerifyObject } from '../../src/explain/verify-object.ts'
import type { TestNode } from './daemon/node.ts'
import { runOnce } from './daemon/run-once.ts'
import type { Switchyard } from './daemon/switchyard.ts'
import { whileStopped } from './daemon/while-stopped.ts'
import { getIn } from './lab/http-get.ts'

export interface Damage {
  readonly title: string
  /** Shell lines. */
  readonly does: readonly string[]
  /** What verify says of it, word for word but for `meaning`, of which this is a part. */
  readonly finds: readonly Finding[]
}

export interface Finding {
  readonly kind: VerifiedDrift['kind']
  /** Its beginning. */
  readonly what: string
  readonly service: string | null
  readonly meaning: string
  /** IPv4 where it is absent; the daemon's log tells of that one. */
  readonly family?: 'IPv6'
}

/** Several at once that do not touch each other: what is found is all of theirs, and nothing else. */
export async function isFoundAndRepaired(options: {
  readonly node: TestNode
  readonly switchyard: Switchyard
  /** Of `switchyard verify`: where the objects are. */
  readonly flags: readonly string[]
  readonly damages: readonly Damage[]
}): Promise<void> {
  const { node, switchyard, flags, damages } = options
  const since = switchyard.mark()
  const wanted = damages.flatMap(({ finds }) => finds)
  await whileStopped(switchyard, async () => {
    await node.run(['sh', '-ec', damages.flatMap(({ does }) => does).join('\n')])
    const { exitStatus, said } = await runOnce({ node, arguments: ['verify', ...flags, '-o', 'json'] })
    assert.equal(exitStatus, 1, said.join('\n'))
    const { clean, drifts } = JSON.parse(said.join('\n')) as VerifyObject
    assert.equal(clean, false)
    for (const { title, finds } of damages) for (const finding of finds) assertFound(title, finding, drifts)
    assert.equal(
      drifts.length,
      wanted.length,
      `other differences than those that were made:\n${JSON.stringify(drifts, undefined, 1)}`,
    )
  })
  await switchyard.waitFor(async () => ((await verification(node))?.clean === true ? true : undefined), 'a clean kernel')
  const isParameter = ({ what }: Finding): boolean => what.startsWith('kernel parameter ')
  const ofRules = wanted.filter(finding => !isParameter(finding) && finding.family === undefined)
  if (ofRules.length > 0) {
    const line = await switchyard.waitForLog(/^someone changed the kernel's IPv4 rules: /, { since })
    assert.equal(line['drifts'], ofRules.length)
    assert.ok(
      ofRules.some(({ meaning }) => line.msg.includes(meaning)),
      line.msg,
    )
    // A parameter that is set back counts as repaired as well, in a line of its own.
    await switchyard.waitForLog(({ msg }) => msg === `repaired ${ofRules.length} differences in IPv4`, {
      since,
      what: 'the count of repairs',
    })
  }
  for (const { what } of wanted.filter(isParameter)) {
    const name = what.split(/[ :]/)[2] ?? ''
    await switchyard.waitForLog(({ msg }) => msg.startsWith('someone changed') && msg.includes(name), { since })
  }
}

function assertFound(title: string, finding: Finding, drifts: readonly VerifiedDrift[]): void {
  const { kind, what, service, meaning, family = 'IPv4' } = finding
  const isOfFamily = (drift: VerifiedDrift): boolean => drift.family === null || drift.family === family
  const matches = (drift: VerifiedDrift): boolean =>
    drift.kind === kind && drift.what.startsWith(what) && drift.service === service
  const found = drifts.filter(isOfFamily).find(matches)
  assert.ok(found !== undefined, `${title}: not found: ${kind} ${what} of ${service}\n${JSON.stringify(drifts, undefined, 1)}`)
  assert.ok(found.meaning.includes(meaning), `${title}: ${JSON.stringify(found.meaning)} does not say ${JSON.stringify(meaning)}`)
}

/** What the daemon itself says; undefined while it cannot tell. */
export async function verification(node: TestNode): Promise<VerifyObject | undefined> {
  const answer = await getIn(node.namespace, 'http://127.0.0.1:10249/switchyard/v1/verify')
  return answer?.status === 200 ? (JSON.parse(answer.body) as VerifyObject) : undefined
}
