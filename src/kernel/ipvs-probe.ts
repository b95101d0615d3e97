// Whether ipvs mode can work on this host, before anything is changed: kernel modules, tools, schedulers. Three answers each; what
// could not be told counts as there, since a container often sees no /lib/modules.
// Takes exec and a few files of the kernel, gives what is missing, in words with what to do.
import { release } from 'node:os'
import { CommandError, type Exec } from './exec.ts'
import { timeoutsQuery } from './ipvs-timeouts.ts'
import { type ModuleFacts, readModuleFacts, type Verdict, verdictOf } from './module-facts.ts'
import { loadModules, type MissingModule } from './modules.ts'

export interface IpvsSupport {
  /** What ipvs mode needs and this host certainly does not have, and what to do; empty: it can work here. */
  readonly missing: readonly string[]
  /** Of the schedulers that were asked for; no virtual server may name one of these. */
  readonly missingSchedulers: ReadonlySet<string>
  /** What only some Services need and is not there. */
  readonly notes: readonly string[]
  /** What could not be told, and counts as there. */
  readonly doubts: readonly string[]
}

/** What was found out, before it is judged. */
export interface IpvsEvidence {
  readonly facts: ModuleFacts
  /** What modprobe could not load, in its own words. */
  readonly notLoaded: readonly MissingModule[]
  /** What a tool said when it asked the kernel: nothing but that it works, or why not. */
  readonly answers: Readonly<Record<Tool, CommandError | undefined>>
  /** False: tools of modules that the kernel does not hold were not asked, since asking would load them. */
  readonly mayLoad: boolean
}

interface Wishes {
  /** ipvs.scheduler: without it nothing can be programmed. */
  readonly scheduler: string
  /** All that a Service may ask for. */
  readonly schedulers: readonly string[]
}

type Tool = 'ipvsadm' | 'ipset' | 'ip'

/** Debian's package of each, and a question that changes nothing; ipvsadm and ipset put theirs to the kernel. */
const tools: Readonly<Record<Tool, { readonly package: string; readonly argv: readonly string[]; readonly module?: string }>> = {
  ipvsadm: { package: 'ipvsadm', argv: timeoutsQuery.argv, module: 'ip_vs' },
  ipset: { package: 'ipset', argv: ['ipset', 'list', '-name'], module: 'ip_set' },
  ip: { package: 'iproute2', argv: ['ip', '-V'] },
}

/** IPVS itself, sets of the types that the rules look into, the match that does so, and the link that carries the addresses. */
export const ipvsModules: readonly string[] = [
  'ip_vs',
  'ip_set',
  'ip_set_bitmap_port',
  'ip_set_hash_ip',
  'ip_set_hash_ipport',
  'ip_set_hash_ipportip',
  'ip_set_hash_ipportnet',
  'xt_set',
  'dummy',
]

/** Only the rules of Services with loadBalancerSourceRanges look into IPVS's own connections. */
export const sourceRangesModule = 'xt_ipvs'

export const schedulerModule = (scheduler: string): string => `ip_vs_${scheduler}`

interface ProbeOptions extends Wishes {
  /** A `lookingExec` where nothing may be loaded. */
  readonly exec: Exec
  readonly host?: { readonly root: string; readonly release: string }
  /** Whether missing modules are to be loaded; true where it is absent. */
  readonly mayLoad?: boolean
}

/** Loads what it can, asks the tools, and judges. Rejects for nothing that a host may lack. */
export async function probeIpvs(options: ProbeOptions): Promise<IpvsSupport> {
  const { exec, host = { root: '/', release: release() }, mayLoad = true, ...wishes } = options
  const needed = [...ipvsModules, sourceRangesModule, schedulerModule(wishes.scheduler)]
  const { present } = await readModuleFacts(host)
  const absent = needed.filter(name => !present.has(name))
  const notLoaded = mayLoad ? await loadModules(absent, exec) : []
  const answers = {
    ipvsadm: await complaintOf(tools.ipvsadm.argv, exec),
    ipset: await complaintOf(tools.ipset.argv, exec),
    ip: await complaintOf(tools.ip.argv, exec),
  }
  const facts = await readModuleFacts(host)
  const couldLoad = mayLoad && !notLoaded.some(({ failure }) => failure === 'not found')
  const loaded = couldLoad ? absent.filter(isNotIn(notLoaded)) : []
  return judge({ facts: { ...facts, present: new Set([...facts.present, ...loaded]) }, notLoaded, answers, mayLoad }, wishes)
}

function isNotIn(modules: readonly MissingModule[]): (name: string) => boolean {
  return name => !modules.some(module => module.name === name)
}

async function complaintOf(argv: readonly string[], exec: Exec): Promise<CommandError | undefined> {
  try {
    await exec({ argv })
    return undefined
  } catch (error) {
    if (error instanceof CommandError) return error
    throw error
  }
}

/** Pure. */
export function judge(evidence: IpvsEvidence, { scheduler, schedulers }: Wishes): IpvsSupport {
  const verdicts = ipvsModules.map(name => verdictOn(name, evidence))
  const missingSchedulers = new Set(
    schedulers.filter(name => moduleVerdict(schedulerModule(name), evidence).answer === 'unsupported'),
  )
  return {
    missing: [...missingModules(verdicts), ...missingTools(evidence), ...missingScheduler(scheduler, schedulers, evidence)],
    missingSchedulers,
    notes: withoutSourceRanges(evidence),
    doubts: unclear([...verdicts, verdictOn(schedulerModule(scheduler), evidence)]),
  }
}

/** The kernel's own answer to a tool counts most, then what it holds and what its folder has; modprobe's words say why. */
function moduleVerdict(name: string, { facts, notLoaded, answers, mayLoad }: IpvsEvidence): Verdict {
  const refusal = notLoaded.find(module => module.name === name)
  for (const tool of ['ipvsadm', 'ipset'] as const) {
    if (tools[tool].module !== name || (!mayLoad && !facts.present.has(name))) continue
    const complaint = answers[tool]
    if (complaint === undefined) return { answer: 'supported' }
    const modprobeSaw = facts.available === undefined ? undefined : refusal?.reason
    if (complaint.failure === 'failed') return { answer: 'unsupported', reason: modprobeSaw ?? complaint.message }
  }
  const verdict = verdictOf(name, facts)
  // Files that are there and are refused all the same: of another build, unsigned, forbidden in modprobe.d.
  const refused = refusal?.failure === 'failed' && verdict.answer === 'supported' && !facts.present.has(name)
  return refusal !== undefined && refused ? { answer: 'unsupported', reason: refusal.reason } : verdict
}

type NamedVerdict = { readonly name: string; readonly verdict: Verdict }

function verdictOn(name: string, evidence: IpvsEvidence): NamedVerdict {
  return { name, verdict: moduleVerdict(name, evidence) }
}

/** One message for all that lack for the same reason. */
function missingModules(verdicts: readonly NamedVerdict[]): readonly string[] {
  return byReason(verdicts, 'unsupported').map(([reason, names]) => {
    const what = names.length === 1 ? `the kernel module ${names[0]}` : `the kernel modules ${names.join(', ')}`
    return `it needs ${what}, which this kernel does not have (${reason})`
  })
}

function missingTools({ answers }: IpvsEvidence): readonly string[] {
  return (['ipvsadm', 'ipset', 'ip'] as const).flatMap(tool =>
    answers[tool]?.failure === 'not found'
      ? [`it needs the program ${tool}, which is not on the PATH (Debian: apt-get install ${tools[tool].package})`]
      : [],
  )
}

function missingScheduler(scheduler: string, schedulers: readonly string[], evidence: IpvsEvidence): readonly string[] {
  const verdict = moduleVerdict(schedulerModule(scheduler), evidence)
  const hasIpvs = moduleVerdict('ip_vs', evidence).answer !== 'unsupported'
  if (verdict.answer !== 'unsupported' || !hasIpvs) return []
  const others = schedulers.filter(name => moduleVerdict(schedulerModule(name), evidence).answer === 'supported')
  const advice = others.length === 0 ? '' : `; it has ${others.join(', ')}`
  return [
    `ipvs.scheduler ${scheduler} needs the kernel module ${schedulerModule(scheduler)}, which this kernel does not have (${verdict.reason})${advice}`,
  ]
}

function unclear(verdicts: readonly NamedVerdict[]): readonly string[] {
  return byReason(verdicts, 'could not tell').map(
    ([reason, names]) => `cannot tell whether this kernel has ${names.join(', ')} (${reason}); taken as there`,
  )
}

function withoutSourceRanges(evidence: IpvsEvidence): readonly string[] {
  const verdict = moduleVerdict(sourceRangesModule, evidence)
  if (verdict.answer !== 'unsupported') return []
  const consequence = 'Services with loadBalancerSourceRanges cannot be programmed'
  return [`this kernel does not have ${sourceRangesModule} (${verdict.reason}): ${consequence}`]
}

function byReason(verdicts: readonly NamedVerdict[], answer: 'unsupported' | 'could not tell'): [string, readonly string[]][] {
  const found = new Map<string, string[]>()
  for (const { name, verdict } of verdicts) {
    if (verdict.answer !== answer) continue
    found.set(verdict.reason, [...(found.get(verdict.reason) ?? []), name])
  }
  return [...found]
}

/** All that is missing in one sentence; undefined where ipvs mode can work. */
export function whyNotIpvs({ missing }: IpvsSupport): string | undefined {
  return missing.length === 0 ? undefined : `mode: ipvs cannot work on this host: ${missing.join('; ')}`
}
