// A quarantined Service keeps what the kernel holds for it: as it was confirmed, or as it is found by name in a kernel that was only read.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toolsOf } from '../../../src/kernel/iptables.ts'
import type { ServiceKey } from '../../../src/model/objects.ts'
import { holdService } from '../../../src/modes/iptables/hold.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import type { Desired } from '../../../src/modes/iptables/state.ts'
import type { Observed } from '../../../src/modes/rules/state.ts'
import { updateDecisions } from '../../../src/sync/decisions.ts'
import { address, cidr, endpoint, node, put, type ServiceFields, service, settings, slice } from '../../support/cluster.ts'
import { clusterOf } from '../../support/scenario.ts'
import { createHarness } from '../../sync/support/harness.ts'
import { planText } from './support.ts'

const web = 'default/web' as ServiceKey
const everything = (fields: ServiceFields = {}) =>
  service({
    type: 'LoadBalancer',
    externalIPs: [address('192.0.2.7')],
    loadBalancerAddresses: [address('198.51.100.7')],
    loadBalancerSourceRanges: [cidr('203.0.113.0/24')],
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 32_000,
    ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 }],
    ...fields,
  })
const pods = (owner: string, ...texts: readonly string[]) =>
  slice({
    name: `${owner}-abc`,
    service: owner,
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: texts.map(text => endpoint(text)),
  })

/** Names that begin, or end, like the one that is held. */
const neighbours = ['web2', 'web-2', 'my-web'].flatMap((name, index) => [
  everything({
    name,
    clusterIPs: [address(`10.96.1.${index + 1}`)],
    externalIPs: [],
    loadBalancerAddresses: [],
    healthCheckNodePort: 32_001 + index,
    ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_081 + index }],
  }),
  pods(name, `10.244.2.${index + 1}`),
])

const mode = iptablesMode('IPv4', toolsOf('IPv4', 'nft'))
const desiredOf = (...objects: Parameters<typeof clusterOf>[0]): Desired => {
  const decisions = updateDecisions({
    decisions: new Map(),
    scope: 'everything',
    cluster: clusterOf(objects),
    family: 'IPv4',
    node,
  })
  return mode.render(undefined, 'everything', { decisions, node, settings })
}
const planFor = (desired: Desired, observed: Observed): string =>
  planText(mode.diff({ desired, observed, touched: 'everything', sweep: true }))

async function kernelWith(...objects: Parameters<typeof clusterOf>[0]): Promise<() => Observed> {
  const harness = createHarness()
  await harness.programmed(...objects.map(put))
  return () => mode.parse([harness.kernel.save()], 'everything', new Map())
}

const states = {
  'with endpoints here': pods('web', '10.244.1.1', '10.244.1.2'),
  'with endpoints elsewhere only': {
    ...pods('web'),
    endpoints: ['10.244.1.1', '10.244.1.2'].map(text => endpoint(text, { nodeName: 'node2' })),
  },
  'without endpoints': pods('web'),
}

describe('a Service that is held', () => {
  for (const [title, slices] of Object.entries(states)) {
    it(`keeps all its rules as the kernel has them, and its neighbours none: ${title}`, async () => {
      const observed = await kernelWith(everything(), slices, ...neighbours)
      assert.equal(planFor(holdService(desiredOf(everything(), slices, ...neighbours), observed(), web), observed()), '')
      // Whatever the objects say now, what is planned is what is planned without the Service, less its removal.
      const changed = everything({
        clusterIPs: [address('10.96.9.9')],
        externalIPs: [],
        type: 'NodePort',
        loadBalancerAddresses: [],
      })
      assert.equal(
        planFor(holdService(desiredOf(changed, pods('web', '10.244.3.3'), ...neighbours), observed(), web), observed()),
        '',
      )
      assert.equal(planFor(holdService(desiredOf(...neighbours), observed(), web), observed()), '')
    })

    it(`is found by its name, with or without a port name: ${title}`, async () => {
      const unnamed = everything({ ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] })
      const unnamedSlices = { ...slices, ports: [{ name: '', protocol: 'TCP' as const, port: 8080 }] }
      const observed = await kernelWith(unnamed, unnamedSlices, ...neighbours)
      assert.equal(planFor(holdService(desiredOf(...neighbours), observed(), web), observed()), '')
    })
  }

  it('lets its neighbours change', async () => {
    const observed = await kernelWith(everything(), pods('web', '10.244.1.1'), ...neighbours)
    const desired = desiredOf(everything(), pods('web', '10.244.9.9'), ...neighbours, pods('web2', '10.244.2.1', '10.244.2.9'))
    const text = planFor(holdService(desired, observed(), web), observed())
    assert.match(text, /10\.244\.2\.9/)
    assert.doesNotMatch(text, /10\.244\.9\.9|10\.244\.1\.1/)
  })

  it('has nothing where the kernel holds nothing of it', async () => {
    const observed = await kernelWith(...neighbours)
    const held = holdService(desiredOf(everything(), pods('web', '10.244.1.1'), ...neighbours), observed(), web)
    assert.equal(planFor(held, observed()), '')
    assert.equal(held.services.has(web), false)
  })

  it('keeps what was confirmed, not what a rule of the same name in a comment pretends', async () => {
    const observed = await kernelWith(everything(), pods('web', '10.244.1.1'), ...neighbours)
    const desired = desiredOf(everything(), pods('web', '10.244.1.1'), ...neighbours)
    const confirmed = mode.confirm({ observed: observed(), desired, touched: 'everything', sweep: true })
    const before = confirmed.services.get(web)
    const held = holdService(desiredOf(everything(), pods('web', '10.244.9.9')), confirmed, web)
    assert.equal(held.services.get(web), before)
  })

  it('counts its endpoints as it is held', async () => {
    const observed = await kernelWith(everything(), pods('web', '10.244.1.1'))
    const desired = desiredOf(everything(), pods('web', '10.244.1.1', '10.244.1.2', '10.244.1.3'), ...neighbours)
    assert.equal(desired.totalEndpoints, 6)
    const held = holdService(desired, observed(), web)
    assert.equal(held.totalEndpoints, 3 + (held.services.get(web)?.totalEndpoints ?? 0))
  })
})
