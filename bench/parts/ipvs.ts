// Ipvs mode: what a first sync, one endpoint change and a restart cost, each beside its floor. In this process, since the kernel that has
// IPVS may be user-mode Linux: one slow processor, on which only the ratios count.
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import { probeBackend } from '../../src/kernel/probe.ts'
import { parseCidr } from '../../src/model/address.ts'
import { nodeFacts, type TrafficSettings } from '../../src/model/node.ts'
import { ipvsMode } from '../../src/modes/ipvs/index.ts'
import { createSyncEmitter, type SyncReport } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import { createNamespace, type Namespace } from '../../test/support/namespace.ts'
import type { ClusterSize, Measurement } from '../figures.ts'
import { benchNode, benchServices, clusterRange, DecodedCluster, objectsOf, podAddress, sliceObjects } from '../objects.ts'

type Command = Parameters<Exec>[0]

const changes = 20
const ipvs = {
  scheduler: 'rr',
  excludeCidrs: [],
  strictArp: false,
  drainDeadlineMs: 900_000,
  drainGoneDeadlineMs: 120_000,
} as const

export async function measureIpvs(sizes: readonly ClusterSize[]): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = []
  for (const size of sizes) {
    console.log(`measuring ${size.services} Services with ${size.endpoints} endpoints each`)
    measurements.push(...(await measure(size)))
  }
  return measurements
}

async function measure(size: ClusterSize): Promise<readonly Measurement[]> {
  const cluster = new DecodedCluster()
  const services = benchServices({ ...size, probes: 0 })
  cluster.put([benchNode, ...services.flatMap(objectsOf)])
  await using ours = await createNode()
  await using byHand = await createNode()
  const { backend } = await probeBackend({ family: 'IPv4', exec: createExec({ prefix: ours.prefix }), procNet: '/proc/net' })
  const mode = ipvsMode({ family: 'IPv4', tools: toolsOf('IPv4', backend), abilities: { hasScheduler: () => true } })
  const recorder = new Recorder(ours)
  const newSync = () => {
    const now = () => performance.now()
    return new FamilySync({ mode, exec: recorder.exec, cluster: cluster.store, events: createSyncEmitter(), now })
  }
  const pass = (sync: ReturnType<typeof newSync>): Promise<SyncReport> =>
    sync.pass({ node: nodeFacts('node1', cluster.store.node(), []), settings: settings(), sweep: true })
  const sync = newSync()

  const first = await pass(sync)
  const firstCommands = recorder.take()
  const firstFloor = await feedByHand(firstCommands, byHand)
  const changed: { readonly milliseconds: number; readonly floorMs: number; readonly runs: number }[] = []
  for (let count = 0; count < changes; count++) {
    const service = services[(count * 37) % services.length]
    if (service === undefined) break
    const pods = [podAddress(60_000 + count), ...service.pods.slice(1)]
    sync.markDirty(cluster.put(sliceObjects({ ...service, pods })))
    const { milliseconds } = await pass(sync)
    const commands = recorder.take()
    changed.push({ milliseconds, floorMs: await feedByHand(commands, byHand), runs: commands.length })
  }
  const restart = await pass(newSync())
  const restartFloor = await readByHand(recorder.take(), ours)

  const common = { part: 'ipvs', unit: 'ms', backend: 'ipvs', ...size } as const
  return [
    { ...common, what: 'first sync', samples: [first.milliseconds], floor: [firstFloor] },
    {
      ...common,
      what: 'an endpoint is replaced',
      samples: changed.map(({ milliseconds }) => milliseconds),
      floor: changed.map(({ floorMs }) => floorMs),
    },
    { ...common, what: 'programs run for it', unit: 'programs', samples: changed.map(({ runs }) => runs) },
    { ...common, what: 'restart', samples: [restart.milliseconds], floor: [restartFloor] },
    { ...common, what: 'lines written at a restart', unit: 'lines', samples: [restart.lines] },
  ]
}

function settings(): TrafficSettings {
  const range = parseCidr(clusterRange)
  return {
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    localhostNodePorts: true,
    nodePortAddresses: 'all',
    detectLocal: { mode: 'ClusterCIDR', cidrs: range === undefined ? [] : [range] },
    tcpBeLiberal: false,
    dispatch: 'auto',
    ipvs,
  }
}

/** In a namespace that never had a link that is up no address counts as unicast, and IPVS takes no real server. */
async function createNode(): Promise<Namespace> {
  const namespace = await createNamespace('bench')
  await createExec({ prefix: namespace.prefix })({ argv: ['ip', 'link', 'set', 'lo', 'up'] })
  return namespace
}

/** Runs commands inside a namespace and remembers them. */
class Recorder {
  readonly exec: Exec
  #commands: Command[] = []

  constructor({ prefix }: Namespace) {
    const plain = createExec({ prefix })
    this.exec = ({ argv, input, more = [] }) => {
      const command = input === undefined ? { argv } : { argv, input: `${input}${[...more].join('')}` }
      this.#commands.push(command)
      return plain(command)
    }
  }

  /** What was run since this was asked last. */
  take(): readonly Command[] {
    const commands = this.#commands
    this.#commands = []
    return commands
  }
}

/** The floor: the same lines, fed to the same tools by hand. What was read, and not written, is no part of it. */
async function feedByHand(commands: readonly Command[], { prefix }: Namespace): Promise<number> {
  const exec = createExec({ prefix })
  return timed(async () => {
    for (const command of commands) if (command.input !== undefined) await exec(command)
  })
}

/** The floor of what reads only: the same questions, put at once. */
async function readByHand(commands: readonly Command[], { prefix }: Namespace): Promise<number> {
  const exec = createExec({ prefix })
  return timed(() => Promise.all(commands.filter(({ input }) => input === undefined).map(exec)))
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
