import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionsToReachAll, falseAlarm, uniformBounds } from './probability.ts'
import { seededRandom } from './random-cluster.ts'

/** P(X <= k) of a binomial, summed the plain way. */
function chanceOfAtMost(k: number, trials: number, probability: number): number {
  let sum = 0
  for (let successes = 0; successes <= k; successes++) {
    let term = 1
    for (let factor = 0; factor < successes; factor++) term *= ((trials - factor) / (successes - factor)) * probability
    sum += term * (1 - probability) ** (trials - successes)
  }
  return sum
}

test('counts outside of the uniform bounds are rarer than the false alarm, and the bounds are no wider than that', () => {
  for (const [connections, endpoints] of [
    [300, 3],
    [200, 2],
    [100, 5],
  ] as const) {
    const { least, most } = uniformBounds(connections, endpoints)
    const tail = falseAlarm / (2 * endpoints)
    const probability = 1 / endpoints
    assert(chanceOfAtMost(least - 1, connections, probability) < tail)
    assert(chanceOfAtMost(least, connections, probability) >= tail)
    const missed = 1 - probability
    assert(chanceOfAtMost(connections - most - 1, connections, missed) < tail)
    assert(chanceOfAtMost(connections - most, connections, missed) >= tail)
  }
})

test('400 connections over three endpoints tell a half from a third', () => {
  const { least, most } = uniformBounds(400, 3)
  assert(least > 67 && most < 200, `${least} to ${most}`)
})

test('the connections that reach every endpoint are as many as the union bound asks for', () => {
  assert.equal(connectionsToReachAll(1), 1)
  for (const endpoints of [2, 3, 4, 5]) {
    const missing = (connections: number) => endpoints * (1 - 1 / endpoints) ** connections
    assert(missing(connectionsToReachAll(endpoints)) <= falseAlarm)
    assert(missing(connectionsToReachAll(endpoints) - 1) > falseAlarm)
  }
})

test('seeded numbers repeat, differ by seed, and fill the range evenly', () => {
  const take = (seed: number) => Array.from({ length: 3000 }, seededRandom(seed))
  assert.deepEqual(take(7), take(7))
  assert.notDeepEqual(take(7), take(8))
  const thirds = Object.groupBy(take(7), number => Math.floor(number * 3))
  const { least, most } = uniformBounds(3000, 3)
  for (const third of [0, 1, 2]) {
    const count = thirds[third]?.length ?? 0
    assert(least <= count && count <= most, `${count} in third ${third}`)
  }
})
