// The plan beside kube-proxy's own rules says nothing but what is known to differ, each with its reason; over an empty kernel it says all; and what it
// says is what would be done.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planObject } from '../../src/explain/plan.ts'
import type { FamilyPlan } from '../../src/explain/plan-object.ts'
import type { Exec } from '../../src/kernel/exec.ts'
import { lineCount } from '../../src/kernel/plan.ts'
import { ipFamilies } from '../../src/model/address.ts'
import type { PlannedInspection } from '../../src/sync/inspect.ts'
import { goldenKernel, type ProxyMode, surveyOf } from '../support/golden-kernel.ts'
import { iptablesScenarioNames, ipvsScenarioNames, loadScenario } from '../support/scenario.ts'

const emptyKernel: Exec = async () => ({ stdout: '', stderr: '', milliseconds: 0 })

function planOf(survey: PlannedInspection): FamilyPlan {
  const facts = { node: 'node1', mode: survey.mode, source: 'a test', sweeps: true, now: 0, parameters: [] }
  const [plan] = planObject({ ...facts, inspections: [survey] }).families
  assert.ok(plan !== undefined)
  return plan
}

function changesOf({ services }: FamilyPlan) {
  return services.flatMap(({ service, changes }) => changes.map(change => ({ service, ...change })))
}

/** The part of a tool's input line that a list of changes shows, by tool; undefined for a line that makes nothing by itself. */
function madeBy(tool: string, line: string): string | undefined {
  if (tool === 'ipset') return /^add \S+ (.*)$/.exec(line)?.[1]
  if (tool === 'ip') return /^addr add (\S+)\/\d+ dev /.exec(line)?.[1]
  if (tool === 'ipvsadm') return /^-[AE] \S+ \S+ (.*)$/.exec(line)?.[1] ?? /^-[ae] \S+ \S+ (-r .*)$/.exec(line)?.[1]
  return /^-[AI] \S+ (.*)$/.exec(line)?.[1]
}

/** Every rule, entry, virtual server and address that the tools would be fed with is a line of the list. */
function agrees(survey: PlannedInspection): void {
  const plan = planOf(survey)
  assert.equal(
    survey.changes.length === 0,
    survey.plan.steps.length === 0,
    'the list is empty exactly where nothing would be done',
  )
  const told = new Set(changesOf(plan).flatMap(({ will }) => will))
  for (const { argv, input } of survey.plan.steps) {
    const made = [...input].flatMap(({ lines }) => lines.flatMap(line => madeBy(argv[0] ?? '', line) ?? []))
    for (const line of made) assert.ok(told.has(line), `${argv[0]} is fed with what is not told: ${line}`)
  }
  assert.equal(plan.totals.lines, lineCount(survey.plan))
}

const modes: readonly (readonly [ProxyMode, readonly string[]])[] = [
  ['iptables', iptablesScenarioNames()],
  ['ipvs', ipvsScenarioNames()],
]

/** What is known to differ, by the words that name it. */
const known: Readonly<Record<ProxyMode, RegExp>> = {
  iptables:
    /^(changed|removed) (nat|filter) chain KUBE-PROXY-CANARY$|^changed filter chain KUBE-FORWARD$|^changed rules in nat chain KUBE-NODEPORTS$/,
  ipvs: /^added (set SWITCHYARD-(6-)?NO-LOCAL|entries in set SWITCHYARD-(6-)?NO-LOCAL|filter chain SWITCHYARD-NO-LOCAL|rules in filter chain INPUT)$|^removed (nat|filter) chain KUBE-PROXY-CANARY$|^changed (nat chain KUBE-SERVICES|filter chain KUBE-FORWARD)$/,
}

for (const [mode, names] of modes) {
  describe(`the plan of ${mode} mode`, () => {
    for (const name of names) {
      it(`beside kube-proxy's rules of ${name} tells only what is known to differ, with a word on each`, async () => {
        const scenario = loadScenario(name)
        for (const family of ipFamilies) {
          const found = await surveyOf(scenario, goldenKernel(scenario, mode, family), { mode, family })
          for (const change of changesOf(planOf(found))) {
            assert.match(`${change.kind} ${change.what}`, known[mode], JSON.stringify(change, undefined, 1))
            assert.notEqual(change.note, null, JSON.stringify(change, undefined, 1))
          }
          agrees(found)
        }
      })

      it(`over an empty kernel makes all of ${name}`, async () => {
        const scenario = loadScenario(name)
        for (const family of ipFamilies) {
          const found = await surveyOf(scenario, emptyKernel, { mode, family })
          const changes = changesOf(planOf(found))
          assert.deepEqual([...new Set(changes.map(({ kind }) => kind))], ['added'])
          const services = new Set([...found.decisions.keys()])
          const told = new Set(changes.map(({ service }) => service).filter(service => service !== null))
          assert.deepEqual([...told].toSorted(), [...services].toSorted(), 'every Service, and no other')
          agrees(found)
        }
      })
    }
  })
}
