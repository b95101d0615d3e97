// Two Services may want the same address, entry or virtual server: it stays until the last lets go, and has one owner, the first by name.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { claimAddress, holder, ownerOf, releaseAddress } from '../../../src/modes/ipvs/claims.ts'
import { address, cidr, gone, put, service } from '../../support/cluster.ts'
import { createIpvsHarness, type IpvsHarness } from '../../sync/support/ipvs-harness.ts'
import { desiredOf, pods, server, weights } from './support.ts'

const shared = address('198.51.100.7')
const sharedServer = server('-t 198.51.100.7:80')
const named = (name: string, index: number, fields: Parameters<typeof service>[0] = {}) =>
  service({ name, clusterIPs: [address(`10.96.0.${index}`)], externalIPs: [shared], ...fields })
const [alpha, beta] = [named('alpha', 1), named('beta', 2)]
const podsOf = { alpha: pods(['10.244.1.1'], 'alpha'), beta: pods(['10.244.1.2'], 'beta') }

async function both(): Promise<IpvsHarness> {
  const harness = createIpvsHarness()
  await harness.programmed(...[beta, podsOf.beta, alpha, podsOf.alpha].map(put))
  return harness
}
const isBound = ({ kernel }: IpvsHarness): boolean => kernel.links.get('kube-ipvs0')?.has(`${shared}/32`) ?? false
const hasEntry = ({ kernel }: IpvsHarness): boolean =>
  kernel.sets.get('KUBE-EXTERNAL-IP')?.entries.has(`${shared},tcp:80`) ?? false

describe('an external address and port of two Services', () => {
  it("is the first one's by name, whichever came first", async () => {
    const harness = await both()
    assert.deepEqual(weights(harness, sharedServer), { '10.244.1.1:8080': 1 })
    const other = createIpvsHarness()
    await other.programmed(put(beta), put(podsOf.beta))
    assert.deepEqual(weights(other, sharedServer), { '10.244.1.2:8080': 1 })
    await other.programmed(put(alpha), put(podsOf.alpha))
    assert.deepEqual(weights(other, sharedServer), { '10.244.1.1:8080': 1, '10.244.1.2:8080': 0 })
  })

  it('goes to the other one when the first is gone, and goes with the last', async () => {
    const harness = await both()
    await harness.programmed(gone(alpha), gone(podsOf.alpha))
    assert.deepEqual(weights(harness, sharedServer), { '10.244.1.1:8080': 0, '10.244.1.2:8080': 1 })
    assert.ok(isBound(harness) && hasEntry(harness))
    await harness.programmed(gone(beta), gone(podsOf.beta))
    assert.equal(weights(harness, sharedServer), undefined)
    assert.ok(!isBound(harness) && !hasEntry(harness))
  })

  it('is untouched by changes of the one that does not have it', async () => {
    const harness = await both()
    const lines = await harness.programmed(put(pods(['10.244.1.3'], 'beta')))
    assert.ok(
      lines.every(line => !line.includes(shared)),
      lines.join('\n'),
    )
  })

  it('moves within one pass', async () => {
    const harness = await both()
    await harness.programmed(gone(alpha), gone(podsOf.alpha), gone(beta), gone(podsOf.beta))
    const heir = named('heir', 3)
    const lines = await harness.programmed(put(heir), put(pods(['10.244.1.9'], 'heir')))
    assert.ok(lines.includes('addr add 198.51.100.7/32 dev kube-ipvs0'))
    const again = await harness.programmed(gone(heir), put(alpha), put(podsOf.alpha))
    assert.ok(
      again.every(line => !/^addr .* 198/.test(line) && !/^(add|del) KUBE-EXTERNAL/.test(line)),
      again.join('\n'),
    )
  })
})

describe('a node port of two Services', () => {
  it("is the first one's, and the other's afterwards", async () => {
    const ports = [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] as const
    const fields = { type: 'NodePort', ports, externalIPs: [] } as const
    const harness = createIpvsHarness()
    await harness.programmed(put(named('alpha', 1, fields)), put(named('beta', 2, fields)), put(podsOf.alpha), put(podsOf.beta))
    const nodePort = server('-t 10.200.1.2:30080')
    assert.deepEqual(weights(harness, nodePort), { '10.244.1.1:8080': 1 })
    await harness.programmed(gone(alpha), gone(podsOf.alpha))
    assert.equal(weights(harness, nodePort)?.['10.244.1.2:8080'], 1)
    assert.equal(harness.kernel.sets.get('KUBE-NODE-PORT-TCP')?.entries.has('30080'), true)
  })
})

describe('two Services with the same firewall at one load balancer address', () => {
  it('have its rule once', async () => {
    const balancer = { externalIPs: [], loadBalancerAddresses: [shared], loadBalancerSourceRanges: [cidr('203.0.113.0/24')] }
    const harness = createIpvsHarness()
    await harness.programmed(put(named('alpha', 1, balancer)), put(named('beta', 2, balancer)))
    assert.equal(harness.kernel.iptables.IPv4.rules('filter', 'KUBE-IPVS-OUT-FILTER')?.length, 1)
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    assert.equal((await harness.restarted().pass()).lines, 0)
  })
})

describe('what is claimed for no Service', () => {
  it('stays, and has no owner that could be blamed', () => {
    const desired = desiredOf([])
    const held = address('10.96.0.9')
    claimAddress(desired, holder('-t 10.96.0.9:80'), held)
    assert.ok(desired.addresses.has(held))
    assert.equal(ownerOf(desired, held), undefined)
    claimAddress(desired, 'zoo/web' as never, held)
    assert.equal(ownerOf(desired, held), 'zoo/web')
    releaseAddress(desired, 'zoo/web' as never, held)
    assert.ok(desired.addresses.has(held))
    releaseAddress(desired, holder('-t 10.96.0.9:80'), held)
    assert.ok(!desired.addresses.has(held))
  })
})
