// Every recorded scenario as text alone: what is fed to an empty kernel makes the rules that kube-proxy makes.
// test/real/golden.test.ts shows the same with a real kernel.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSave, tables } from '../../../src/kernel/iptables.ts'
import { ipFamilies } from '../../../src/model/address.ts'
import { comparable, restored } from '../../support/iptables-compare.ts'
import { iptablesScenarioNames, loadScenario } from '../../support/scenario.ts'
import { coldStart } from './support.ts'

const names = iptablesScenarioNames()

it('has all 41 scenarios of iptables mode', () => assert.equal(names.length, 41))

describe('a recorded scenario', () => {
  for (const name of names) {
    it(`becomes kube-proxy's rules: ${name}`, () => {
      const scenario = loadScenario(name)
      for (const family of ipFamilies) {
        const text = coldStart({ ...scenario, family })
        for (const table of tables) {
          const golden = scenario.golden(`iptables.${family.toLowerCase()}.${table}`)
          assert.ok(golden !== undefined)
          const save = restored(text, table)
          assert.deepEqual(comparable(save), comparable(golden), `${family} ${table}`)
          assertNodePortsComeLast(save)
        }
      }
    })
  }
})

function assertNodePortsComeLast(save: string): void {
  const rules = parseSave(save).find(({ name }) => name === 'KUBE-SERVICES')?.rules ?? []
  const first = rules.findIndex(isNodePortJump)
  assert.ok(first === -1 || rules.slice(first).every(isNodePortJump), 'the jumps to the node ports come last')
}

function isNodePortJump(rule: string): boolean {
  return rule.endsWith('-j KUBE-NODEPORTS')
}

describe('the comparison itself', () => {
  const of = (...rules: readonly string[]): string => [':KUBE-SVC-A - [0:0]', ':KUBE-SERVICES - [0:0]', ...rules].join('\n')
  const same: readonly (readonly [title: string, a: string, b: string])[] = [
    [
      'ignores the order in KUBE-SERVICES',
      of('-A KUBE-SERVICES -j A', '-A KUBE-SERVICES -j B'),
      of('-A KUBE-SERVICES -j B', '-A KUBE-SERVICES -j A'),
    ],
    ['ignores nfacct', of('-A KUBE-SVC-A -m mark -m nfacct --nfacct-name  x -j A'), of('-A KUBE-SVC-A -m mark -j A')],
  ]
  for (const [title, a, b] of same) it(title, () => assert.deepEqual(comparable(a), comparable(b)))

  const different: readonly (readonly [title: string, a: string, b: string])[] = [
    [
      'the order in a chain of a Service',
      of('-A KUBE-SVC-A -j A', '-A KUBE-SVC-A -j B'),
      of('-A KUBE-SVC-A -j B', '-A KUBE-SVC-A -j A'),
    ],
    ['a rule that stands twice', of('-A KUBE-SERVICES -j A', '-A KUBE-SERVICES -j A'), of('-A KUBE-SERVICES -j A')],
    ['an empty chain that is missing', of(), ':KUBE-SERVICES - [0:0]'],
  ]
  for (const [title, a, b] of different) it(`sees ${title}`, () => assert.notDeepEqual(comparable(a), comparable(b)))
})
