// Which mode this host can run: the configured one, or iptables mode in place of an ipvs mode that cannot work here.
// The one place that says why ipvs mode is not run; a reload asks it again, since modules and tools may have come meanwhile.
import type { Config } from '../config/config.ts'
import type { Exec } from '../kernel/exec.ts'
import { type IpvsSupport, probeIpvs, whyNotIpvs } from '../kernel/ipvs-probe.ts'
import { ipvsSchedulers } from '../model/ipvs-scheduler.ts'
import type { Logger } from './log.ts'

export type ChosenMode =
  /** `insteadBecause`: ipvs mode is configured, and cannot work here. */
  | { readonly mode: 'iptables'; readonly insteadBecause?: string }
  /** Not all is certain: `support` says which schedulers a Service may not ask for. */
  | { readonly mode: 'ipvs'; readonly support: IpvsSupport }

const advice = 'provide that, or set mode: iptables, or ipvs.unavailable: fallback in switchyard.conf'

/** Throws, with what is missing and what to do, where `mode: ipvs` cannot work and `ipvs.unavailable` is `fail`. */
export async function chooseMode(options: {
  readonly config: Config
  readonly exec: Exec
  readonly log: Logger
  /** False: for a command that looks. No module is loaded, so not all can be told for certain. */
  readonly mayLoad?: boolean
  readonly probe?: typeof probeIpvs
}): Promise<ChosenMode> {
  const { config, exec, log, mayLoad = true, probe = probeIpvs } = options
  if (config.mode === 'iptables') return { mode: 'iptables' }
  const support = await probe({ exec, scheduler: config.ipvs.scheduler, schedulers: ipvsSchedulers, mayLoad })
  const mayFall = config.ipvs.whenUnavailable === 'fallback'
  for (const note of support.notes) log.info(note)
  for (const doubt of support.doubts) {
    if (mayLoad) log.info(doubt)
    else log.warn(`${doubt}. Where it has not, 'switchyard run' ${mayFall ? 'runs in iptables mode instead' : 'does not start'}`)
  }
  const reason = whyNotIpvs(support)
  if (reason === undefined) return { mode: 'ipvs', support }
  if (!mayFall) throw new Error(`${reason}; ${advice}`)
  const instead = mayLoad
    ? 'Running in iptables mode instead (ipvs.unavailable: fallback); /proxyMode says iptables'
    : "'switchyard run' runs in iptables mode instead (ipvs.unavailable: fallback), and so this is what is looked at"
  log.error(`${reason}. ${instead}`)
  return { mode: 'iptables', insteadBecause: reason }
}
