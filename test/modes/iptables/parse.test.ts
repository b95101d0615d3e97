// What the kernel says becomes Observed: which chains count as what, from one save or from one listing a chain.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toolsOf } from '../../../src/kernel/iptables.ts'
import { iptablesRoles } from '../../../src/modes/iptables/base-chains.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import { parseTables, tablesReading } from '../../../src/modes/rules/parse.ts'
import { digestOf } from '../../../src/modes/rules/state.ts'
import { endpoint, put, service, slice } from '../../support/cluster.ts'
import { createHarness } from '../../sync/support/harness.ts'

const svc = 'KUBE-SVC-AAAAAAAAAAAAAAAA'
const sep = 'KUBE-SEP-AAAAAAAAAAAAAAAA'
const parseNat = (...lines: readonly string[]) => parseTables({ nat: lines.join('\n'), filter: '' }, new Map(), iptablesRoles).nat

describe('tablesReading', () => {
  it('gives what parseTables gives, wherever the save is cut, and heeds no other table', () => {
    const nat = [
      ...['*nat', ':KUBE-SERVICES - [0:0]', `:${svc} - [0:0]`, `:${sep} - [0:0]`, ':OTHERS - [0:0]'],
      ...[`-A KUBE-SERVICES -d 10.96.0.1/32 -j ${svc}`, `-A ${svc} -j ${sep}`, `-A OTHERS -j ${svc}`, 'COMMIT'],
    ]
    const filter = ['*filter', ':INPUT ACCEPT [0:0]', ':KUBE-FORWARD - [0:0]', '-A INPUT -j KUBE-FORWARD', 'COMMIT']
    const mangle = ['*mangle', `:${svc} - [0:0]`, `-A ${svc} -j ACCEPT`, 'COMMIT']
    const save = [...nat, ...mangle, ...filter, ''].join('\n')
    const expected = parseTables({ nat: nat.join('\n'), filter: filter.join('\n') }, new Map(), iptablesRoles)
    assert.ok(expected.nat.foreignReferences.has(svc) && expected.filter.shared.has('INPUT'), 'there is something to compare')
    for (let cut = 0; cut <= save.length; cut++) {
      const reading = tablesReading(new Map(), iptablesRoles)
      reading.take(save.slice(0, cut))
      reading.take(save.slice(cut))
      assert.deepEqual(reading.end(), expected, `cut at ${cut}`)
    }
  })
})

describe('parseTables', () => {
  it('keeps of a leaf chain its digest and where it leads', () => {
    const { leaves } = parseNat(
      `:${svc} - [0:0]`,
      `:${sep} - [0:0]`,
      ':KUBE-MARK-MASQ - [0:0]',
      `-A ${svc} ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ`,
      `-A ${svc} -j ${sep}`,
      `-A ${sep} -p tcp -m tcp -j DNAT --to-destination 10.244.1.1:8080`,
    )
    assert.deepEqual(leaves.get(svc), {
      digest: digestOf(svc, ['! -s 10.244.0.0/16 -j KUBE-MARK-MASQ', `-j ${sep}`]),
      jumps: [sep],
    })
    assert.deepEqual(leaves.get(sep)?.jumps, [])
    assert.ok(leaves.has('KUBE-MARK-MASQ'))
  })

  it('tells an empty chain from one that is not there', () => {
    const { leaves } = parseNat(`:${svc} - [0:0]`)
    assert.equal(leaves.get(svc)?.digest, digestOf(svc, []))
    assert.equal(leaves.get(sep), undefined)
  })

  it('keeps of a dispatch chain the rules as a set, and what stands last', () => {
    const { dispatch } = parseNat(
      ':KUBE-SERVICES - [0:0]',
      '-A KUBE-SERVICES -j A',
      '-A KUBE-SERVICES -j B',
      '-A KUBE-SERVICES -d 10.0.0.1/32 -j KUBE-NODEPORTS',
    )
    assert.deepEqual(dispatch.get('KUBE-SERVICES'), {
      rules: new Set(['-j A', '-j B', '-d 10.0.0.1/32 -j KUBE-NODEPORTS']),
      tail: ['-d 10.0.0.1/32 -j KUBE-NODEPORTS'],
      irregular: false,
    })
  })

  const irregular: readonly (readonly [title: string, rules: readonly string[], expected: boolean])[] = [
    ['nothing', [], false],
    ['the jump to the node ports alone', ['-j KUBE-NODEPORTS'], false],
    [
      'several jumps to the node ports, last',
      ['-j A', '-d 10.0.0.1/32 -j KUBE-NODEPORTS', '-d 10.0.0.2/32 -j KUBE-NODEPORTS'],
      false,
    ],
    ['a rule behind the jump to the node ports', ['-j KUBE-NODEPORTS', '-j A'], true],
    ['a rule between two such jumps', ['-d 10.0.0.1/32 -j KUBE-NODEPORTS', '-j A', '-d 10.0.0.2/32 -j KUBE-NODEPORTS'], true],
    ['a rule that stands twice', ['-j A', '-j A'], true],
    ['the jump to the node ports twice', ['-j A', '-j KUBE-NODEPORTS', '-j KUBE-NODEPORTS'], true],
  ]
  for (const [title, rules, expected] of irregular) {
    it(`calls a dispatch chain ${expected ? 'irregular' : 'regular'} with ${title}`, () => {
      const { dispatch } = parseNat(':KUBE-SERVICES - [0:0]', ...rules.map(rule => `-A KUBE-SERVICES ${rule}`))
      assert.equal(dispatch.get('KUBE-SERVICES')?.irregular, expected)
    })
  }

  it('keeps shared chains as rules and foreign ones not at all, but notes who jumps to a chain of a Service', () => {
    const nat = parseNat(
      ':PREROUTING ACCEPT [0:0]',
      ':DOCKER - [0:0]',
      `:${svc} - [0:0]`,
      '-A PREROUTING -j KUBE-SERVICES',
      '-A PREROUTING -j DOCKER',
      `-A DOCKER -p tcp -g ${svc}`,
    )
    assert.deepEqual(nat.shared, new Map([['PREROUTING', new Set(['-j KUBE-SERVICES', '-j DOCKER'])]]))
    assert.deepEqual(nat.foreignReferences, new Map([[svc, 'DOCKER']]))
    assert.equal(nat.leaves.size, 1)
    assert.equal(nat.dispatch.size, 0)
  })

  it('reads nothing where a table is missing', () => {
    const observed = parseTables({ nat: '', filter: '' }, new Map(), iptablesRoles)
    for (const table of [observed.nat, observed.filter]) {
      assert.deepEqual([table.leaves.size, table.dispatch.size, table.shared.size, table.foreignReferences.size], [0, 0, 0, 0])
    }
  })
})

describe('what is asked of the kernel', () => {
  it('is one save of all tables: with -t, legacy would make a table that is not there', () => {
    for (const backend of ['nft', 'legacy'] as const) {
      const mode = iptablesMode('IPv6', toolsOf('IPv6', backend))
      assert.deepEqual(mode.queries('everything'), [{ argv: [`ip6tables-${backend}-save`] }])
    }
  })

  it('is, for the base chains, chain by chain on nft and again one save on legacy, where each chain would cost the whole table', () => {
    const nft = iptablesMode('IPv4', toolsOf('IPv4', 'nft')).queries('base')
    assert.ok(nft.length > 10)
    for (const { argv } of nft) assert.deepEqual([argv[0], argv[1], argv[3], argv.length], ['iptables-nft', '-t', '-S', 5])
    assert.deepEqual(iptablesMode('IPv4', toolsOf('IPv4', 'legacy')).queries('base'), [{ argv: ['iptables-legacy-save'] }])
  })

  for (const backend of ['nft', 'legacy'] as const) {
    it(`gives the same base chains chain by chain and from a whole save (${backend})`, async () => {
      const harness = createHarness({ backend })
      await harness.programmed(
        put(service({ type: 'NodePort', ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] })),
        put(slice({ endpoints: [endpoint('10.244.1.1')] })),
      )
      const mode = iptablesMode('IPv4', toolsOf('IPv4', backend))
      const read = async (extent: 'everything' | 'base') =>
        mode.parse(
          await Promise.all(mode.queries(extent).map(async query => (await harness.kernel.exec(query)).stdout)),
          extent,
          new Map(),
        )
      const base = await read('base')
      const whole = await read('everything')
      for (const table of ['nat', 'filter'] as const) {
        assert.deepEqual(base[table].dispatch, whole[table].dispatch)
        assert.deepEqual(base[table].shared, whole[table].shared)
        for (const [name, leaf] of base[table].leaves) assert.deepEqual(leaf, whole[table].leaves.get(name))
      }
      assert.ok(['KUBE-MARK-MASQ', 'KUBE-POSTROUTING'].every(name => base.nat.leaves.has(name)))
      assert.ok(base.filter.leaves.has('KUBE-FORWARD'))
    })
  }
})
