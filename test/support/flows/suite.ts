// All cases in one mode of the proxy, as tests: one lab, one test a case, one sub-test a flow. Cases follow each other in the
// running proxy, so each is also a live change from the one before; a case with a configuration gets a proxy of its own.
// For each flow `trace` must say what its packets met.
import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { defaultServe, type Lab, type LabOptions, startLab } from '../lab/lab.ts'
import { type ProxyOptions, type RunningProxy, startProxy } from '../lab/proxy.ts'
import { type Case, loadCases } from './cases.ts'
import { checkFlow } from './check.ts'
import type { Flow, ProxyMode } from './flow.ts'
import { complainAboutTrace, readTracers, type Tracers } from './trace.ts'

export interface PacketSuite {
  readonly mode: ProxyMode
  /** The proxy's command line: `['--iptables-backend', 'legacy']`. */
  readonly arguments: readonly string[]
  /** How the proxy gets its objects; by manifests where nothing is said. */
  readonly start?: (options: ProxyOptions) => Promise<ProgrammedProxy>
  /** Names of the cases; all where nothing is said. */
  readonly only?: readonly string[]
  /** Every other case, so that two machines can share the work. */
  readonly half?: 'first' | 'second'
  /** Whether the kernel surely has sockets of SCTP, which the cases with such flows need; without, these cases are left out. */
  readonly sctp?: boolean
}

export type ProgrammedProxy = AsyncDisposable & Pick<RunningProxy, 'program' | 'stop'>

/** Waiting for silence would add up, so the flows of a case run side by side. */
const sideBySide = 8

export function definePacketTests(suite: PacketSuite): void {
  const { mode, arguments: commandLine, start = startProxy, sctp = false } = suite
  const cases = chosen(loadCases(mode), suite).filter(each => sctp || !usesSctp(each))
  // The mode stands in the configuration: beside a configuration file kube-proxy's flags count for nothing.
  const stage = new Stage({
    start: ({ config, ...options }) => start({ ...options, config: { ...config, mode }, arguments: commandLine }),
    serve: sctp ? { ...defaultServe, sctp: [8080] } : defaultServe,
  })
  const run = new Set<Flow>()

  before(() => stage.start())
  after(() => stage.stop())

  for (const each of cases) {
    test(each.name, { concurrency: sideBySide }, async t => {
      const lab = await stage.set(each)
      const tracers = await readTracers(lab, { mode, backend: backendOf(commandLine) })
      const [sticky, others] = [each.flows.filter(flow => flow.sticky), each.flows.filter(flow => !flow.sticky)]
      await Promise.all(others.map(flow => subTest({ t, lab, tracers, flow, run })))
      // A source that two flows use at the same time would be remembered for both: one by one, but for the families.
      await Promise.all(
        (['ipv4', 'ipv6'] as const).map(family =>
          oneByOne(
            sticky.filter(flow => flow.to.family === family),
            { t, lab, tracers, run },
          ),
        ),
      )
    })
  }

  test('every flow of every case was run', () => {
    const missing = cases.flatMap(({ name, flows }) => flows.filter(flow => !run.has(flow)).map(flow => `${name}: ${flow.title}`))
    assert.deepEqual(missing, [])
  })
}

function chosen(cases: readonly Case[], { only = cases.map(({ name }) => name), half }: PacketSuite): readonly Case[] {
  const unknown = only.filter(name => !cases.some(each => each.name === name))
  assert.deepEqual(unknown, [], 'there are no such cases')
  const remainder = { first: 0, second: 1 }
  return cases
    .filter(({ name }) => only.includes(name))
    .filter((_, position) => half === undefined || position % 2 === remainder[half])
}

/** Of the lab's proxy; what it finds out by itself where nobody names one is the only one that user-mode Linux has. */
function backendOf(commandLine: readonly string[]): Backend {
  const named = commandLine[commandLine.indexOf('--iptables-backend') + 1]
  return commandLine.includes('--iptables-backend') && named === 'nft' ? 'nft' : 'legacy'
}

function usesSctp({ flows }: Case): boolean {
  return flows.some(({ to }) => to.protocol === 'SCTP')
}

interface Running {
  readonly t: TestContext
  readonly lab: Lab
  readonly tracers: Tracers
  readonly run: Set<Flow>
}

async function oneByOne(flows: readonly Flow[], running: Running): Promise<void> {
  for (const flow of flows) await subTest({ ...running, flow })
}

function subTest({ t, lab, tracers, flow, run }: Running & { readonly flow: Flow }): Promise<void> {
  return t.test(flow.title, async sub => {
    run.add(flow)
    if (typeof flow.expect === 'object' && 'notSupported' in flow.expect)
      sub.diagnostic(`not supported: ${flow.expect.notSupported}`)
    else await checkFlow(lab, flow)
    assert.equal(complainAboutTrace(flow, { lab, tracers }), undefined)
  })
}

interface StageOptions {
  readonly start: (options: ProxyOptions) => Promise<ProgrammedProxy>
  readonly serve: NonNullable<LabOptions['serve']>
}

/** The lab and the proxy in it, set for one case after the other. */
class Stage {
  readonly #options: StageOptions
  #lab: Lab | undefined
  #proxy: ProgrammedProxy | undefined
  #config: Case['config']

  constructor(options: StageOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#lab = await startLab({ serve: this.#options.serve })
  }

  async stop(): Promise<void> {
    await this.#proxy?.[Symbol.asyncDispose]()
    await this.#lab?.[Symbol.asyncDispose]()
  }

  /** Programs the case; a proxy that runs with another configuration is stopped first, and its rules are the next one's to mend. */
  async set({ objects, config }: Case): Promise<Lab> {
    assert(this.#lab !== undefined)
    if (this.#proxy !== undefined && this.#config !== config) {
      assert.equal(await this.#proxy.stop(), 'code 0')
      this.#proxy = undefined
    }
    this.#config = config
    this.#proxy ??= await this.#options.start({ lab: this.#lab, config: config ?? {} })
    await this.#proxy.program(objects)
    return this.#lab
  }
}
