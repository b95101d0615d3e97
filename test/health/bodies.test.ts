// The bodies that a kube-proxy 1.36.2 was seen to give, with our times in the place of its.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  healthzBody,
  isServiceHealthy,
  livezBody,
  type ProxyHealthInput,
  readyzBody,
  serviceHealthBody,
} from '../../src/health/bodies.ts'
import type { FamilyHealth } from '../../src/health/sync-health.ts'

const currentTime = Date.parse('2026-08-02T12:00:00.250Z')
/** The monotonic clock stood at zero a minute ago. */
const toWallClock = (now: number): number => currentTime - 60_000 + now

function health(families: Readonly<Record<'IPv4' | 'IPv6', FamilyHealth>>): ProxyHealthInput {
  const { IPv4, IPv6 } = families
  const sync = { healthy: IPv4.healthy && IPv6.healthy, families: new Map([['IPv4', IPv4] as const, ['IPv6', IPv6] as const]) }
  return { sync, currentTime, toWallClock }
}

const fresh: FamilyHealth = { healthy: true, lastSynced: 10_000, waitingMs: undefined }
const older: FamilyHealth = { healthy: true, lastSynced: 5_000, waitingMs: undefined }
const late: FamilyHealth = { healthy: false, lastSynced: 5_000, waitingMs: 61_000 }
const never: FamilyHealth = { healthy: true, lastSynced: undefined, waitingMs: undefined }

const now = '2026-08-02T12:00:00.250Z'
const at10 = '2026-08-02T11:59:10.250Z'
const at5 = '2026-08-02T11:59:05.250Z'

describe('/livez', () => {
  it('is current while it is healthy, whenever the last pass was', () => {
    assert.equal(
      livezBody(health({ IPv4: fresh, IPv6: older })),
      `{"lastUpdated":"${now}","currentTime":"${now}","healthy":true,"status":{"IPv4":{"lastUpdated":"${at10}","healthy":true},"IPv6":{"lastUpdated":"${at5}","healthy":true}}}`,
    )
  })

  it('says when the last pass of any family was where it is not', () => {
    assert.equal(
      livezBody(health({ IPv4: fresh, IPv6: late })),
      `{"lastUpdated":"${at10}","currentTime":"${now}","healthy":false,"status":{"IPv4":{"lastUpdated":"${at10}","healthy":true},"IPv6":{"lastUpdated":"${at5}","healthy":false}}}`,
    )
  })
})

describe('/healthz', () => {
  it('has the node beside the proxy', () => {
    assert.equal(
      healthzBody({ ...health({ IPv4: fresh, IPv6: older }), nodeEligible: true }),
      `{"lastUpdated":"${now}","currentTime":"${now}","nodeEligible":true,"healthy":true,"status":{"IPv4":{"lastUpdated":"${at10}","healthy":true},"IPv6":{"lastUpdated":"${at5}","healthy":true}}}`,
    )
  })

  it('of a node that goes away: `healthy` is about the proxy alone', () => {
    const body = JSON.parse(healthzBody({ ...health({ IPv4: fresh, IPv6: older }), nodeEligible: false })) as Record<
      string,
      unknown
    >
    assert.deepEqual([body['nodeEligible'], body['healthy'], body['lastUpdated']], [false, true, at10])
  })

  it('before the first pass has the time that Go prints for never', () => {
    const body = JSON.parse(healthzBody({ ...health({ IPv4: never, IPv6: never }), nodeEligible: false })) as Record<
      string,
      unknown
    >
    assert.equal(body['lastUpdated'], '0001-01-01T00:00:00Z')
    assert.deepEqual(body['status'], {
      IPv4: { lastUpdated: '0001-01-01T00:00:00Z', healthy: true },
      IPv6: { lastUpdated: '0001-01-01T00:00:00Z', healthy: true },
    })
  })
})

describe('/readyz', () => {
  it('says what is missing, and how each family and watch is', () => {
    const watches = [
      { resource: 'services', synced: true, lastContactAgeMs: 1234.5678, failure: undefined },
      { resource: 'nodes', synced: false, lastContactAgeMs: undefined, failure: 'forbidden' },
    ]
    const body = readyzBody({ ...health({ IPv4: late, IPv6: never }), missing: ['one', 'two'], watches })
    assert.deepEqual(JSON.parse(body), {
      ready: false,
      missing: ['one', 'two'],
      currentTime: now,
      families: { IPv4: { lastSynced: at5, waitingSeconds: 61 }, IPv6: { lastSynced: null, waitingSeconds: 0 } },
      watches: {
        services: { synced: true, secondsSinceContact: 1.235, failure: null },
        nodes: { synced: false, secondsSinceContact: null, failure: 'forbidden' },
      },
    })
  })

  it('of a node that is ready misses nothing', () => {
    const body = JSON.parse(readyzBody({ ...health({ IPv4: fresh, IPv6: fresh }), missing: [], watches: [] })) as Record<
      string,
      unknown
    >
    assert.deepEqual([body['ready'], body['missing'], body['watches']], [true, [], {}])
  })
})

describe('a health check node port', () => {
  const service = { namespace: 'shop', name: 'web', localEndpoints: 2, serviceProxyHealthy: true }

  it('has the Service, its endpoints here and the health of the proxy', () => {
    assert.equal(
      serviceHealthBody(service),
      '{\n\t"service": {\n\t\t"namespace": "shop",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
    )
  })

  it('is healthy with an endpoint and a healthy proxy only', () => {
    const outcomes = [0, 1, 2].flatMap(localEndpoints =>
      [false, true].map(serviceProxyHealthy => isServiceHealthy({ ...service, localEndpoints, serviceProxyHealthy })),
    )
    assert.deepEqual(outcomes, [false, false, false, true, false, true])
  })
})
