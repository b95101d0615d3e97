// What a service proxy sets on its node besides rules: the limits and timeouts of connection tracking, and how unlikely the
// kernel is to kill this process when memory runs out. As kube-proxy sets them at its start.
// Takes settings and facts, gives what to set (pure); `perform` then sets what is not so yet, through the files it is given.
// Invariant: a parameter that cannot be set is reported and harms nothing else. (route_localnet: see route-localnet.ts.)
import type { ConntrackSettings } from '../config/config.ts'
import type { Sysctl } from '../kernel/sysctl.ts'
import type { Originals } from './originals.ts'

export interface PlannedParameter {
  /** A sysctl is read and written below --sysctl-root; a file anywhere, its path written as sysctls are: `proc.self.oom_score_adj`. */
  readonly kind: 'sysctl' | 'file'
  readonly name: string
  readonly value: number
  /** `at least`: a higher value, which somebody chose, stays. */
  readonly rule: 'exactly' | 'at least'
  /** The setting that wants it, in words. */
  readonly why: string
  /** What an operator does where the kernel refuses. */
  readonly otherwise: string
  /** What follows where it has another value. */
  readonly consequence?: string
  /** The name of a parameter without which this one has no use. */
  readonly after?: string
  /** The kernel module that brings the parameter. */
  readonly module?: string
}

export interface ChangedParameter {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly why: string
}

export interface RefusedParameter {
  readonly name: string
  readonly value: string
  /** Names the parameter, the value, the kernel's reason and what to do. */
  readonly message: string
  /** The kernel does not have the parameter now; the module that has it may be loaded later. */
  readonly absent: boolean
}

export interface DutyReport {
  readonly changed: readonly ChangedParameter[]
  readonly refused: readonly RefusedParameter[]
}

const conntrackMax = 'net.netfilter.nf_conntrack_max'
const hashSize = 'sys.module.nf_conntrack.parameters.hashsize'
const oomScore = 'proc.self.oom_score_adj'
const connectionTracking = 'nf_conntrack'

/** On machines with very many cores the product would take gigabytes of kernel memory (kube-proxy 1.36 caps it here as well). */
const largestScaledMax = 1_048_576

/**
 * KubeProxyConfiguration `conntrack`, in kube-proxy's order. Only the table's size is never lowered (kubernetes/kubernetes
 * #142035); timeouts are what the configuration says.
 */
export function plannedSysctls(settings: ConntrackSettings, facts: { readonly cores: number }): readonly PlannedParameter[] {
  const { tcpEstablishedTimeoutSeconds, tcpCloseWaitTimeoutSeconds, tcpBeLiberal } = settings
  const { udpTimeoutSeconds, udpStreamTimeoutSeconds } = settings
  return [
    ...tableSize(settings, facts),
    ...timeout('tcp_timeout_established', 'tcpEstablishedTimeout', tcpEstablishedTimeoutSeconds),
    ...timeout('tcp_timeout_close_wait', 'tcpCloseWaitTimeout', tcpCloseWaitTimeoutSeconds),
    ...(tcpBeLiberal ? [netfilter({ name: 'tcp_be_liberal', value: 1, setting: 'tcpBeLiberal', off: 'false' })] : []),
    ...timeout('udp_timeout', 'udpTimeout', udpTimeoutSeconds),
    ...timeout('udp_timeout_stream', 'udpStreamTimeout', udpStreamTimeoutSeconds),
  ]
}

/** KubeProxyConfiguration `oomScoreAdj`; the tools that this process starts inherit it. */
export function plannedOomScore(oomScoreAdj: number): PlannedParameter {
  const otherwise = 'give the container CAP_SYS_RESOURCE, or set oomScoreAdj to the value that it starts with'
  return { kind: 'file', name: oomScore, value: oomScoreAdj, rule: 'exactly', why: `oomScoreAdj ${oomScoreAdj}`, otherwise }
}

function tableSize({ maxPerCore, min }: ConntrackSettings, { cores }: { readonly cores: number }): readonly PlannedParameter[] {
  if (maxPerCore === undefined) return []
  const max = Math.max(Math.min(maxPerCore * cores, largestScaledMax), min)
  const why = `conntrack.maxPerCore ${maxPerCore} x ${cores} cores (at most ${largestScaledMax}), at least conntrack.min ${min}`
  const otherwise = `set it in the host's own network namespace (sysctl -w ${conntrackMax}=${max}), or leave it with conntrack.maxPerCore: 0`
  const buckets = Math.floor(max / 4)
  return [
    { kind: 'sysctl', name: conntrackMax, value: max, rule: 'at least', why, otherwise, module: connectionTracking },
    {
      kind: 'file',
      name: hashSize,
      value: buckets,
      rule: 'at least',
      why: `a bucket for every four of ${conntrackMax}'s ${max} flows`,
      otherwise: `write it on the host (echo ${buckets} > ${pathOf(hashSize)}); until then lookups in a full table are slower`,
      after: conntrackMax,
    },
  ]
}

function timeout(name: string, setting: string, seconds: number | undefined): readonly PlannedParameter[] {
  return seconds === undefined ? [] : [netfilter({ name, value: seconds, setting, off: '0s' })]
}

function netfilter(parameter: { name: string; value: number; setting: string; off: string }): PlannedParameter {
  const { value, setting, off } = parameter
  const name = `net.netfilter.nf_conntrack_${parameter.name}`
  const otherwise = `set it on the host (sysctl -w ${name}=${value}), or leave it with conntrack.${setting}: ${off}`
  return { kind: 'sysctl', name, value, rule: 'exactly', why: `conntrack.${setting}`, otherwise, module: connectionTracking }
}

export interface Means {
  /** `createSysctl(config.sysctlRoot)`. */
  readonly sysctl: Sysctl
  /** `createSysctl('/')`. */
  readonly files: Sysctl
  /** Where values are kept before they are changed, so that they can be put back. */
  readonly originals?: Originals
}

/** Sets what is not so yet, in order. Never throws for what a file says. */
export async function perform({
  planned,
  ...means
}: Means & { readonly planned: readonly PlannedParameter[] }): Promise<DutyReport> {
  const changed: ChangedParameter[] = []
  const refused: RefusedParameter[] = []
  for (const parameter of planned) {
    if (refused.some(({ name }) => name === parameter.after)) continue
    const outcome = await set(parameter, means)
    if (outcome === undefined) continue
    if ('message' in outcome) refused.push(outcome)
    else changed.push(outcome)
  }
  return { changed, refused }
}

/** Undefined where the value is already right. */
async function set(parameter: PlannedParameter, means: Means): Promise<ChangedParameter | RefusedParameter | undefined> {
  const { kind, name, why } = parameter
  const files = kind === 'sysctl' ? means.sysctl : means.files
  const shown = kind === 'sysctl' ? name : pathOf(name)
  const from = await files.read(name)
  if (from === undefined) return refusal(parameter, absence(parameter))
  if (isRight(Number(from), parameter)) return undefined
  const to = String(parameter.value)
  try {
    if (isUndone(parameter)) await means.originals?.record(name, { from, to })
    await files.write(name, to)
    return { name: shown, from, to, why }
  } catch (error) {
    return refusal(parameter, { reason: `it is ${from}, and the kernel says ${reasonOf(error)}`, absent: false })
  }
}

/** A limit that was raised stays so: lowering it may hurt, and nobody is hurt by what is higher. */
function isUndone({ kind, rule }: PlannedParameter): boolean {
  return kind === 'sysctl' && rule === 'exactly'
}

function isRight(present: number, { value, rule }: PlannedParameter): boolean {
  return present === value || (rule === 'at least' && present > value)
}

function absence({ module }: PlannedParameter): { readonly reason: string; readonly absent: true } {
  const reason = 'it cannot be read here'
  return { reason: module === undefined ? reason : `${reason} (is the kernel module ${module} loaded?)`, absent: true }
}

function refusal(parameter: PlannedParameter, { reason, absent }: { reason: string; absent: boolean }): RefusedParameter {
  const { kind, value, why, otherwise } = parameter
  const name = kind === 'sysctl' ? parameter.name : pathOf(parameter.name)
  return {
    name,
    value: String(value),
    message: `cannot set ${name} to ${value} (${why}): ${reason}; ${otherwise}`,
    absent,
  }
}

function pathOf(name: string): string {
  return `/${name.replaceAll('.', '/')}`
}

/** The kernel's word alone (`EROFS: read-only file system`): Sysctl.write wraps it in advice of its own. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? (cause.message.split(',')[0] ?? cause.message) : String(cause)
}
