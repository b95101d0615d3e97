import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IpFamily } from '../../src/model/address.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import type { Scope } from '../../src/modes/mode.ts'
import { StandingRemarks } from '../../src/sync/standing-remarks.ts'

const [web, api] = ['default/web', 'default/api'] as ServiceKey[] as [ServiceKey, ServiceKey]
const reason = 'SchedulerUnavailable'

interface Pass {
  readonly family?: IpFamily
  readonly scope?: Scope
  /** Message by Service. */
  readonly says?: ReadonlyMap<ServiceKey, string>
  readonly fails?: boolean
}

/** Gives the Services whose remark is news. */
function pass(remarks: StandingRemarks, { family = 'IPv4', scope = 'everything', says = new Map(), fails = false }: Pass) {
  remarks.passStarted({ family })
  if (fails) return []
  const news = [...says].filter(([service, message]) => remarks.remarked({ family, service, reason, message }))
  remarks.programmed({ family, scope })
  return news.map(([service]) => service)
}

describe('remarks that stand', () => {
  it('are news once, whatever number of passes and families say them', () => {
    const remarks = new StandingRemarks()
    const says = new Map([[web, 'no x']])
    assert.deepEqual(pass(remarks, { says }), [web])
    assert.deepEqual(pass(remarks, { says }), [])
    assert.deepEqual(pass(remarks, { says, family: 'IPv6' }), [])
    assert.deepEqual(pass(remarks, { says, scope: new Set([web]) }), [])
    assert.deepEqual(remarks.ofFamily('IPv6'), [{ service: web, reason, message: 'no x' }])
  })

  it('are news again in other words', () => {
    const remarks = new StandingRemarks()
    pass(remarks, { says: new Map([[web, 'no x']]) })
    assert.deepEqual(pass(remarks, { says: new Map([[web, 'no y']]) }), [web])
    assert.deepEqual(
      remarks.ofFamily('IPv4').map(({ message }) => message),
      ['no y'],
    )
  })

  it('end with a pass that touched the Service and did not say them', () => {
    const remarks = new StandingRemarks()
    const says = new Map([
      [web, 'no x'],
      [api, 'no y'],
    ])
    pass(remarks, { says })
    pass(remarks, { scope: new Set([web]) })
    assert.deepEqual(
      remarks.ofFamily('IPv4').map(({ service }) => service),
      [api],
    )
    assert.deepEqual(pass(remarks, { says }), [web])
    pass(remarks, {})
    assert.deepEqual(remarks.ofFamily('IPv4'), [])
  })

  it('outlive a pass that failed', () => {
    const remarks = new StandingRemarks()
    const says = new Map([[web, 'no x']])
    pass(remarks, { says })
    pass(remarks, { fails: true })
    assert.deepEqual(pass(remarks, { says }), [])
  })
})
