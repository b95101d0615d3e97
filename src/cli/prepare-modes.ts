// Which modes run for which IP families on this host, with which tools; what is missing is said here, once.
import { access, readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import type { Exec } from '../kernel/exec.ts'
import { type Backend, type IptablesTools, toolsOf } from '../kernel/iptables.ts'
import { probeBackend } from '../kernel/probe.ts'
import type { IpFamily } from '../model/address.ts'
import { iptablesMode } from '../modes/iptables/index.ts'
import { ipvsMode } from '../modes/ipvs/index.ts'
import { retiringIpvsMode } from '../modes/ipvs/retiring.ts'
import type { AnyMode } from '../sync/lane.ts'
import { type ChosenMode, chooseMode } from './choose-mode.ts'
import type { Logger } from './log.ts'

export interface PreparedModes {
  /** What runs: not what is configured, where that cannot work here and need not. */
  readonly name: Config['mode']
  /** Why the configured mode cannot work here, where another one runs. */
  readonly insteadBecause: string | undefined
  /** The iptables backend that rules go to. */
  readonly backend: Backend
  /** One for each family. */
  readonly modes: readonly AnyMode[]
  /** What cleans up after ipvs mode, one for each family. */
  readonly retiring: readonly AnyMode[]
}

/** Throws where nothing can work: not permitted, or the mode does not exist here. @param options.mayLoad false: no kernel module is loaded. */
export async function prepareModes(options: {
  config: Config
  exec: Exec
  log: Logger
  mayLoad?: boolean
}): Promise<PreparedModes> {
  const { log } = options
  await requireCapability('CAP_NET_ADMIN')
  const chosen = await chooseMode(options)
  const backend = await chooseBackend(options)
  if (backend === 'legacy') await requireCapability('CAP_NET_RAW')
  const families: IpFamily[] = ['IPv4']
  if (await hasIpv6()) families.push('IPv6')
  else log.info('this kernel has IPv6 off: only IPv4 is programmed')
  const tools = families.map(family => ({ family, tools: toolsOf(family, backend) }))
  return {
    name: chosen.mode,
    insteadBecause: chosen.mode === 'iptables' ? chosen.insteadBecause : undefined,
    backend,
    modes: tools.map(each => modeOf(chosen, each)),
    retiring: tools.map(each => retiringIpvsMode({ ...each, deadlineMs: options.config.ipvs.modeChangeDeadlineMs })),
  }
}

function modeOf(chosen: ChosenMode, { family, tools }: { family: IpFamily; tools: IptablesTools }): AnyMode {
  if (chosen.mode === 'iptables') return iptablesMode(family, tools)
  const { missingSchedulers } = chosen.support
  return ipvsMode({ family, tools, abilities: { hasScheduler: name => !missingSchedulers.has(name) } })
}

async function chooseBackend({ config, exec, log }: { config: Config; exec: Exec; log: Logger }): Promise<Backend> {
  const { iptablesBackend } = config
  if (iptablesBackend !== 'auto') {
    log.info({ backend: iptablesBackend }, `iptables backend ${iptablesBackend}, as configured`)
    return iptablesBackend
  }
  const choice = await probeBackend({ family: 'IPv4', exec, procNet: '/proc/net' })
  for (const note of choice.notes) log.warn(note)
  log.info({ backend: choice.backend }, `iptables backend ${choice.backend}: ${choice.reason}`)
  if (choice.ambiguous) {
    const advice = 'packets pass both; move all rules to one backend, or name the right one: --iptables-backend=nft or =legacy'
    log.error(`both iptables backends of this host hold rules (took ${choice.backend}: ${choice.reason}); ${advice}`)
  }
  return choice.backend
}

/** Bits as in linux/capability.h, and what to say where one is missing: every tool would fail in words of its own. */
const capabilities = {
  CAP_NET_ADMIN: {
    bit: 12n,
    refusal:
      'not permitted to change the kernel: run as root, or give the process CAP_NET_ADMIN (and CAP_NET_RAW for the legacy backend)',
  },
  CAP_NET_RAW: {
    bit: 13n,
    refusal: 'not permitted to change the kernel by the legacy backend of iptables: give the process CAP_NET_RAW as well',
  },
} as const

async function requireCapability(name: keyof typeof capabilities): Promise<void> {
  const { bit, refusal } = capabilities[name]
  const status = await readFile('/proc/self/status', 'utf8')
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? 'ffffffffffffffff'}`)
  if ((effective & (1n << bit)) === 0n) throw new Error(refusal)
}

async function hasIpv6(): Promise<boolean> {
  return access('/proc/net/if_inet6').then(
    () => true,
    () => false,
  )
}
