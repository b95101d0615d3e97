// --init-only: what needs full root privileges, done once by an init container so that the daemon itself can do without them:
// kernel modules are loaded and the node's parameters set.
import { release } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { createExec, type Exec } from '../kernel/exec.ts'
import { ipvsModules, schedulerModule, sourceRangesModule } from '../kernel/ipvs-probe.ts'
import { loadModules } from '../kernel/modules.ts'
import { openStateFile, stateFileName } from '../kernel/state-file.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { ipvsSchedulers } from '../model/ipvs-scheduler.ts'
import { originalsIn } from '../sync/originals.ts'
import { nodeDuties } from './do-node-duties.ts'
import { createIpvsParameters } from './ipvs-parameters.ts'
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
  // All schedulers: a Service may ask for any.
  ipvs: [...ipvsModules, sourceRangesModule, ...ipvsSchedulers.map(schedulerModule)],
}

/** Gives the exit status: 0 also where something was refused, since it may be there already or not be needed; the log says so. */
export async function initialise(config: Config, log: Logger): Promise<number> {
  const exec = createExec()
  await loadAllModules({ config, exec, log })
  const path = join(config.stateDirectory, stateFileName)
  const state = await openStateFile({ path, warn: message => log.warn(message) })
  const originals = originalsIn(state)
  await nodeDuties(log, 'node', originals)(config)
  if (config.mode === 'ipvs') {
    const parameters = { exec, sysctl: createSysctl(config.sysctlRoot), originals, kernelRelease: release(), log }
    await createIpvsParameters(parameters).ensure(config.ipvs)
  }
  await state.close()
  log.info('initialised: modules and parameters are as far as this kernel lets them; ending, as --init-only says')
  return 0
}

/** Those of ipvs mode in iptables mode too: the mode can be changed while the daemon runs, which may load none. */
async function loadAllModules({ config, exec, log }: { config: Config; exec: Exec; log: Logger }): Promise<void> {
  for (const { name, reason } of await loadModules(modules.iptables, exec)) {
    log.warn({ module: name }, `kernel module ${name} was not loaded (harmless if it is built into the kernel): ${reason}`)
  }
  const missing = await loadModules(modules.ipvs, exec)
  if (missing.length === 0) return
  const names = missing.map(({ name }) => name).join(', ')
  const level = config.mode === 'ipvs' ? 'warn' : 'info'
  log[level]({ modules: names }, `kernel modules that only ipvs mode needs were not loaded: ${names}: ${missing[0]?.reason}`)
}
