// All cases in one mode of the proxy, as tests: one lab, one test a case, one sub-test a flow. Cases follow each other in the
// running proxy, so each is also a live change from the one before; a case with a configuration gets a proxy of its own.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Lab, startLab } from '../lab/lab.ts'
import { type RunningProxy, startProxy } from '../lab/proxy.ts'
import { type Case, loadCases } from './cases.ts'
import { checkFlow } from './check.ts'
import type { Flow, ProxyMode } from './flow.ts'

export interface PacketSuite {
  readonly mode: ProxyMode
  /** The proxy's command line: `['--iptables-backend', 'legacy']`. */
  readonly arguments: readonly string[]
}

/** Flows that wait for silence would add up, so those of a case run side by side. Those about memory
 * (affinity) run one by one, since a source that another flow uses at the same time would be remembered for it; the families apart. */
const sideBySide = 8

export function definePacketTests({ mode, arguments: commandLine }: PacketSuite): void {
  const cases = loadCases(mode)
  const run = new Set<Flow>()
  let lab: Lab | undefined
  let proxy: RunningProxy | undefined
  let config: Case['config']

  before(async () => {
    lab = await startLab()
  })
  after(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await lab?.[Symbol.asyncDispose]()
  })

  const prepare = async (each: Case): Promise<Lab> => {
    assert(lab !== undefined)
    if (proxy === undefined || config !== each.config) {
      await proxy?.stop()
      proxy = await startProxy({ lab, arguments: commandLine, ...(each.config === undefined ? {} : { config: each.config }) })
      config = each.config
    }
    await proxy.program(each.objects)
    return lab
  }

  for (const each of cases) {
    test(each.name, { concurrency: sideBySide }, async t => {
      const prepared = await prepare(each)
      const subTest = (flow: Flow) =>
        t.test(flow.title, async sub => {
          run.add(flow)
          if (typeof flow.expect === 'object' && 'notSupported' in flow.expect)
            sub.diagnostic(`not supported: ${flow.expect.notSupported}`)
          else await checkFlow(prepared, flow)
        })
      await Promise.all(each.flows.filter(flow => !flow.sticky).map(subTest))
      const oneByOne = async (flows: readonly Flow[]) => {
        for (const flow of flows) await subTest(flow)
      }
      const sticky = each.flows.filter(flow => flow.sticky)
      await Promise.all((['ipv4', 'ipv6'] as const).map(family => oneByOne(sticky.filter(flow => flow.to.family === family))))
    })
  }

  test('every flow of every case was run', () => {
    const missing = cases.flatMap(({ name, flows }) => flows.filter(flow => !run.has(flow)).map(flow => `${name}: ${flow.title}`))
    assert.deepEqual(missing, [])
  })
}
