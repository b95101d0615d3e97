// run's flags → the cluster as it is now, beside this node's kernel: what plan, verify, trace and takeover answer from. Reads once and follows nothing.
// Works beside a daemon that lives: no lock, no write, no kernel module is loaded, no parameter set.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { type Flags, type FlagValues, flags as runFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { Comparison } from '../explain/comparison.ts'
import { createExec, type Exec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import type { Backend } from '../kernel/iptables.ts'
import { hasIpvsLeftovers } from '../kernel/ipvs-leftovers.ts'
import { lookingExec } from '../kernel/looking-exec.ts'
import { lookAtState, stateFileName } from '../kernel/state-file.ts'
import { nodeFacts } from '../model/node.ts'
import { serviceKey } from '../model/objects.ts'
import { serviceLink } from '../modes/ipvs/names.ts'
import type { EarlierDrains } from '../modes/mode.ts'
import type { Source, Unread } from '../source/source.ts'
import { createStore, type Store } from '../source/store.ts'
import { type ClusterView, emptyCluster } from '../sync/decisions.ts'
import { type PlannedInspection, survey } from '../sync/inspect.ts'
import type { AnyMode } from '../sync/lane.ts'
import type { PassInput } from '../sync/pass-input.ts'
import { wrongParameters } from '../sync/wanted-parameters.ts'
import { drainsIn } from './keep-drains.ts'
import { createPlainLogger, type Logger } from './log.ts'
import { openSource } from './open-source.ts'
import { prepareModes } from './prepare-modes.ts'

/** run's, without those that make it do something else: a command adds its own. */
export const sourceFlags: Flags = Object.fromEntries(
  Object.entries<Flags[string]>(runFlags).filter(
    ([name]) => !['help', 'version', 'cleanup', 'init-only', 'write-config-to', 'metrics-bind-address'].includes(name),
  ),
)

/** Whether the flags say where the cluster's objects are; else the daemon of this node is asked. */
export function namesSource(flags: FlagValues): boolean {
  return (['config', 'manifests', 'kubeconfig', 'master'] as const).some(name => (flags[name] ?? '') !== '')
}

/** Flags of run's that say how, where none says where the objects are: the daemon that is asked has its own. In words; undefined where there are none. */
export function surplusFlags(flags: FlagValues): string | undefined {
  const [one, ...others] = Object.keys(flags).filter(name => Object.hasOwn(sourceFlags, name))
  if (one === undefined || namesSource(flags)) return undefined
  const names = [one, ...others].map(name => `--${name}`).join(', ')
  return `${names}: without --config, --manifests, --kubeconfig or --master the running Switchyard is asked, which has settings of its own; name the source too`
}

/** The flags or the files that they name are wrong: exit status 64. */
export class WrongFlags extends Error {
  override readonly name = 'WrongFlags'
}

export interface ClusterReading {
  readonly config: Config
  /** Where the objects come from: `manifests in /etc/switchyard`. */
  readonly source: string
  readonly cluster: Store
  readonly unread: readonly Unread[]
  /** Node facts, traffic settings, and `sweep`. */
  readonly input: PassInput
  /** What would run here: not what is configured, where that cannot work and `ipvs.unavailable` is `fallback`. */
  readonly modeName: Config['mode']
  /** The iptables backend that rules go to. */
  readonly backend: Backend
  /** One for each family. */
  readonly modes: readonly AnyMode[]
  /** What cleans up after ipvs mode, one for each family. */
  readonly retiring: readonly AnyMode[]
  /** Since when drains what a daemon noted. */
  readonly earlierDrains: EarlierDrains
  /** Asks the kernel; feeds nothing. */
  readonly exec: Exec
  /** Reads the kernel, each family. Throws CommandError. */
  surveys(): Promise<readonly PlannedInspection[]>
  /** What ipvs mode left and another mode would let go; empty in ipvs mode, and where nothing is left. Throws CommandError. */
  retiringSurveys(): Promise<readonly PlannedInspection[]>
}

/**
 * Throws WrongFlags; and Error in words for the user: the objects cannot be read, or not within the time, or the mode cannot work here.
 * @param timeoutMs how long to wait for the objects.
 */
export async function readCluster(flags: FlagValues, timeoutMs = 30_000): Promise<ClusterReading> {
  const log = createPlainLogger()
  const { config, isNamed } = configOf(flags, log)
  const exec = lookingExec(createExec())
  const prepared = await prepareModes({ config, exec, log, mayLoad: false }).catch((cause: unknown) => {
    throw new Error(`'switchyard run' would not start here: ${cause instanceof Error ? cause.message : cause}`, { cause })
  })
  const read = await readSource({ config, log, timeoutMs })
  if (!isNamed && isStranger(config.nodeName, read.store)) {
    const consequence = 'endpoints on this node count as being elsewhere'
    log.warn(
      `nothing in ${read.description} is on a node ${config.nodeName}, which is the host's name: ${consequence}; --hostname-override names the node`,
    )
  }
  const node = nodeFacts(config.nodeName, read.store.node(), interfaceAddresses(serviceLink))
  const input: PassInput = { node, settings: config.traffic, sweep: read.sweep }
  const earlierDrains = drainsIn(await lookAtState(join(config.stateDirectory, stateFileName)))
  const surveyAll = (
    modes: readonly AnyMode[],
    about: { cluster: ClusterView; input: PassInput },
  ): Promise<readonly PlannedInspection[]> => Promise.all(modes.map(mode => survey({ mode, exec, earlierDrains, ...about })))
  return {
    config,
    source: read.description,
    cluster: read.store,
    unread: read.unread,
    input,
    modeName: prepared.name,
    backend: prepared.backend,
    modes: prepared.modes,
    retiring: prepared.retiring,
    earlierDrains,
    exec,
    surveys: () => surveyAll(prepared.modes, { cluster: read.store, input }),
    retiringSurveys: async () => {
      if (prepared.name === 'ipvs' || !(await hasIpvsLeftovers(exec, serviceLink))) return []
      return surveyAll(prepared.retiring, { cluster: emptyCluster, input: { ...input, sweep: true } })
    },
  }
}

/** What plan and verify are made from. @param inspections the mode's that would run among them. */
export async function compare(
  reading: ClusterReading,
  inspections: readonly PlannedInspection[],
): Promise<Comparison<PlannedInspection>> {
  const { config, modeName: mode, source, input } = reading
  const parameters = await wrongParameters({ ...config, mode }, inspections)
  return { node: config.nodeName, mode, source, sweeps: input.sweep, now: Date.now(), inspections, parameters }
}

/** Whether other nodes are named, and this one is not. */
function isStranger(nodeName: string, store: Store): boolean {
  if (store.node() !== undefined) return false
  const names = new Set<string | undefined>()
  for (const { namespace, name } of store.services())
    for (const { endpoints } of store.slices(serviceKey(namespace, name)))
      for (const endpoint of endpoints) names.add(endpoint.nodeName)
  return !names.has(nodeName) && [...names].some(name => name !== undefined)
}

/** Throws WrongFlags. `isNamed`: the node's name is no guess by the host's. */
export function configOf(flags: FlagValues, log: Logger): { readonly config: Config; readonly isNamed: boolean } {
  const { config, errors, warnings, origins } = loadConfig({
    flags,
    readFile: path => readFileSync(path, 'utf8'),
    hostname: hostname(),
  })
  if (config === undefined) throw new WrongFlags(errors.map(formatProblem).join('\nswitchyard: '))
  for (const problem of warnings) log.warn(formatProblem(problem))
  return { config, isNamed: origins.has('hostnameOverride') }
}

interface SourceReading {
  readonly store: Store
  readonly sweep: boolean
  readonly unread: readonly Unread[]
  readonly description: string
}

/** Milliseconds for what is on its way when all was read for the first time. */
const settleMs = 100

async function readSource(options: {
  readonly config: Config
  readonly log: Logger
  readonly timeoutMs: number
}): Promise<SourceReading> {
  const { config, log, timeoutMs } = options
  const opened = await openSource(config, log)
  const store = createStore({ nodeName: config.nodeName })
  try {
    const state = await followUntilComplete({ source: opened.source, store, timeoutMs })
    const { description } = opened.source
    if (state === undefined) {
      const advice = 'the messages above say why; is it reachable from here, and may the user list and watch?'
      throw new Error(`${description} gave no complete answer within ${timeoutMs / 1000} s: ${advice}`)
    }
    if (state.unreadable) log.warn('something above could not be read: what no known Service has is left alone, as it may be its')
    return { store, sweep: !state.unreadable, unread: opened.source.unread(), description }
  } finally {
    await opened.close()
  }
}

/** Undefined where the time was over before. */
async function followUntilComplete(options: {
  readonly source: Source
  readonly store: Store
  readonly timeoutMs: number
}): Promise<{ readonly unreadable: boolean } | undefined> {
  const { source, store, timeoutMs } = options
  const stop = new AbortController()
  const deadline = setTimeout(() => stop.abort(), timeoutMs)
  let settled: NodeJS.Timeout | undefined
  let state: { readonly unreadable: boolean } | undefined
  try {
    for await (const { changes, complete, unreadable } of source.updates(stop.signal)) {
      store.apply(changes)
      if (complete || state !== undefined) state = { unreadable }
      if (complete) settled ??= setTimeout(() => stop.abort(), settleMs)
    }
    return state
  } finally {
    clearTimeout(deadline)
    clearTimeout(settled)
  }
}
