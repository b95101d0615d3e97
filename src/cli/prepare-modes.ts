// Which modes run for which IP families on this host, with which tools; what is missing is said here, once.
import { access, readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import type { Exec } from '../kernel/exec.ts'
import { type Backend, toolsOf } from '../kernel/iptables.ts'
import { probeBackend } from '../kernel/probe.ts'
import { type IptablesMode, iptablesMode } from '../modes/iptables/index.ts'
import type { Logger } from './log.ts'

/** Throws where nothing can work: not permitted, or the mode does not exist here. */
export async function prepareModes(options: { config: Config; exec: Exec; log: Logger }): Promise<readonly IptablesMode[]> {
  const { config, log } = options
  await requireCapability('CAP_NET_ADMIN')
  if (config.mode === 'ipvs') throw new Error('mode: ipvs is not built yet; set mode: iptables (or leave it empty)')
  const backend = await chooseBackend(options)
  if (backend === 'legacy') await requireCapability('CAP_NET_RAW')
  const modes = [iptablesMode('IPv4', toolsOf('IPv4', backend))]
  if (await hasIpv6()) modes.push(iptablesMode('IPv6', toolsOf('IPv6', backend)))
  else log.info('this kernel has IPv6 off: only IPv4 is programmed')
  return modes
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
