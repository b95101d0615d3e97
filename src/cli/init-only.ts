// --init-only: what needs full root privileges, done once by an init container so that the daemon itself can do without them:
// kernel modules are loaded and the node's parameters set.
import type { Config } from '../config/config.ts'
import { createExec } from '../kernel/exec.ts'
import { loadModules } from '../kernel/modules.ts'
import { nodeDuties } from './do-node-duties.ts'
import type { Logger } from './log.ts'

/** The daemon may not load them itself later: it has no CAP_SYS_MODULE. The ip*table ones are for the legacy backend. */
const modules = {
  iptables: [
    'ip_tables',
    'iptable_nat',
    'iptable_filter',
    'ip6_tables',
    'ip6table_nat',
    'ip6table_filter',
    'nf_conntrack',
    'xt_recent',
    'xt_statistic',
    'xt_comment',
    'xt_addrtype',
    'xt_mark',
    'xt_conntrack',
    'xt_nat',
    'xt_MASQUERADE',
  ],
  ipvs: [
    'ip_vs',
    'ip_vs_rr',
    'ip_vs_wrr',
    'ip_vs_lc',
    'ip_vs_wlc',
    'ip_vs_sh',
    'ip_vs_dh',
    'ip_vs_sed',
    'ip_vs_nq',
    'ip_vs_mh',
    'ip_set',
    'xt_set',
  ],
}

/** Gives the exit status: 0 also where something was refused, since it may be there already or not be needed; the log says so. */
export async function initialise(config: Config, log: Logger): Promise<number> {
  const exec = createExec()
  const missing = await loadModules([...modules.iptables, ...modules.ipvs], exec)
  for (const { name, reason } of missing) {
    const needed = modules.ipvs.includes(name) ? 'ipvs mode needs it' : 'harmless if it is built into the kernel'
    log.warn({ module: name }, `kernel module ${name} was not loaded (${needed}): ${reason}`)
  }
  await nodeDuties(log, 'node')(config)
  log.info('initialised: modules and parameters are as far as this kernel lets them; ending, as --init-only says')
  return 0
}
