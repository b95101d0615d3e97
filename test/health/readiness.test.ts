import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { missingForReadiness, type ReadinessInput, staleAfterMs, type WatchState } from '../../src/health/readiness.ts'
import type { FamilyHealth } from '../../src/health/sync-health.ts'

const fine: FamilyHealth = { healthy: true, lastSynced: 5, waitingMs: undefined }
const watch: WatchState = { resource: 'services', synced: true, lastContactAgeMs: 1000, failure: undefined }

function input(change: Partial<ReadinessInput> & { readonly family?: FamilyHealth } = {}): ReadinessInput {
  const { family = fine, ...rest } = change
  const sync = { healthy: family.healthy, families: new Map([['IPv4', family] as const]) }
  return { sync, source: 'manifests in /m', complete: true, watches: [], ...rest }
}

const rows: readonly (readonly [about: string, input: ReadinessInput, missing: readonly string[]])[] = [
  ['everything read, everything programmed', input({ watches: [watch] }), []],
  ['the folder was not read', input({ complete: false }), ['manifests in /m: not read completely yet']],
  [
    'a watch that never got anywhere says why, and stands for the source',
    input({ complete: false, watches: [watch, { ...watch, resource: 'endpointslices', synced: false, failure: 'forbidden' }] }),
    ['watch of endpointslices: not read completely yet (forbidden; the log says more)'],
  ],
  [
    'a resource that nothing is programmed from counts too',
    input({ watches: [{ ...watch, resource: 'nodes', synced: false, lastContactAgeMs: undefined }] }),
    ['watch of nodes: not read completely yet'],
  ],
  [
    'a watch that fails, but not for long',
    input({ watches: [{ ...watch, failure: 'network', lastContactAgeMs: staleAfterMs }] }),
    [],
  ],
  [
    'a watch that nothing was heard of for minutes',
    input({ watches: [{ ...watch, failure: 'network', lastContactAgeMs: 301_400 }] }),
    ['watch of services: nothing heard for 301 s (network; the log says more)'],
  ],
  [
    'no pass succeeded',
    input({ family: { healthy: false, lastSynced: undefined, waitingMs: 99_000 } }),
    ['IPv4: no complete sync yet'],
  ],
  [
    'a change that is late',
    input({ family: { healthy: false, lastSynced: 5, waitingMs: 61_200 } }),
    ['IPv4: a change has been waiting for 61 s'],
  ],
  ['a change that is not late', input({ family: { healthy: true, lastSynced: 5, waitingMs: 59_000 } }), []],
]

describe('what is missing for being ready', () => {
  for (const [about, given, missing] of rows) it(about, () => assert.deepEqual(missingForReadiness(given), missing))
})
