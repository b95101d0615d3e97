// What this host has: which iptables backend it uses. Three answers each: yes, no, could not tell (named in `notes`).
import { readFile } from 'node:fs/promises'
import type { IpFamily } from '../model/address.ts'
import { CommandError, type Exec } from './exec.ts'
import { type Backend, type IptablesTools, parseSave, saveQuery, toolsOf } from './iptables.ts'

export interface BackendChoice {
  readonly backend: Backend
  /** Why, for the log. */
  readonly reason: string
  /** Both backends hold rules: connections go through both, and no one reads only one of them rightly. */
  readonly ambiguous: boolean
  readonly notes: readonly string[]
}

/** What one backend holds in one host. */
export interface BackendEvidence {
  /** False where its programs are missing or refuse to work. */
  readonly usable: boolean
  /** KUBE-IPTABLES-HINT or KUBE-KUBELET-CANARY: kubelet made these in the backend that the host uses. */
  readonly kubeletHint: boolean
  /** Chains that a service proxy made. */
  readonly proxyChains: number
  readonly rules: number
  readonly note: string | undefined
}

const nothing: BackendEvidence = { usable: true, kubeletHint: false, proxyChains: 0, rules: 0, note: undefined }

/**
 * Looks at both backends without leaving a trace: `iptables-legacy-save` would make the legacy tables on a host that has none, and
 * iptables-nft warns about them ever after, so /proc/net/ip_tables_names is read first.
 */
export async function probeBackend(options: {
  readonly family: IpFamily
  readonly exec: Exec
  readonly procNet: string
}): Promise<BackendChoice> {
  const { family, exec, procNet } = options
  const nft = await evidence(toolsOf(family, 'nft'), exec)
  const legacy = await ((await legacyTables(family, procNet)).length === 0 ? presence : evidence)(toolsOf(family, 'legacy'), exec)
  const plain = nft.rules + legacy.rules === 0 ? await plainIptables(family, exec) : undefined
  return chooseBackend({ nft, legacy, plain })
}

/** Pure. `plain`: what the command without a suffix says that it is, asked only where nothing else tells. */
export function chooseBackend(host: {
  nft: BackendEvidence
  legacy: BackendEvidence
  plain: Backend | undefined
}): BackendChoice {
  const { nft, legacy, plain } = host
  const notes = [nft.note, legacy.note].filter(note => note !== undefined)
  const ambiguous = nft.rules > 0 && legacy.rules > 0
  const choice = (backend: Backend, reason: string): BackendChoice => ({ backend, reason, ambiguous, notes })
  if (!nft.usable && !legacy.usable) return choice('nft', 'no backend works here, and this is the usual one')
  if (!nft.usable) return choice('legacy', 'the nft backend does not work here')
  if (!legacy.usable) return choice('nft', 'the legacy backend does not work here')
  if (nft.kubeletHint !== legacy.kubeletHint) return choice(nft.kubeletHint ? 'nft' : 'legacy', "kubelet's hint chain is there")
  if (nft.proxyChains > 0 !== legacy.proxyChains > 0)
    return choice(nft.proxyChains > 0 ? 'nft' : 'legacy', "a service proxy's chains are there")
  if (nft.rules !== legacy.rules) {
    return choice(nft.rules > legacy.rules ? 'nft' : 'legacy', `most rules are there (nft ${nft.rules}, legacy ${legacy.rules})`)
  }
  return choice(plain ?? 'nft', plain === undefined ? 'nothing tells, nft is the usual one' : 'it is what plain iptables is')
}

async function evidence(tools: IptablesTools, exec: Exec): Promise<BackendEvidence> {
  const output = await exec(saveQuery(tools)).catch((error: unknown) => unusable(error))
  if ('usable' in output) return output
  const chains = output.stdout.split('\n*').flatMap(section => parseSave(section))
  const names = chains.map(({ name }) => name)
  return {
    usable: true,
    kubeletHint: hasKubeletHint(output.stdout),
    proxyChains: names.filter(name => name === 'KUBE-SERVICES').length,
    rules: chains.reduce((sum, { rules }) => sum + rules.length, 0),
    note: undefined,
  }
}

/** Whether an iptables-save output has the chains that kubelet makes for nobody but those who look for its backend. */
export function hasKubeletHint(save: string): boolean {
  return /^:(KUBE-IPTABLES-HINT|KUBE-KUBELET-CANARY) /m.test(save)
}

async function presence(tools: IptablesTools, exec: Exec): Promise<BackendEvidence> {
  return exec({ argv: [tools.restore, '--version'] }).then(
    () => nothing,
    (error: unknown) => unusable(error),
  )
}

function unusable(error: unknown): BackendEvidence {
  if (error instanceof CommandError) return { ...nothing, usable: false, note: error.message }
  throw error
}

async function plainIptables(family: IpFamily, exec: Exec): Promise<Backend | undefined> {
  const tool = family === 'IPv4' ? 'iptables' : 'ip6tables'
  const version = await exec({ argv: [tool, '--version'] }).catch(() => undefined)
  if (version === undefined) return undefined
  return version.stdout.includes('legacy') ? 'legacy' : 'nft'
}

/** Whose rules can be read here, by family. A kernel without nf_tables holds no rules there; where neither backend works, both say why. */
export async function usableBackends(exec: Exec, procNet = '/proc/net'): Promise<Record<IpFamily, readonly Backend[]>> {
  const ofFamily = async (family: IpFamily): Promise<readonly Backend[]> => {
    if ((await legacyTables(family, procNet)).length === 0) return ['nft']
    const nftWorks = await exec(saveQuery(toolsOf(family, 'nft'))).then(
      () => true,
      () => false,
    )
    return nftWorks ? ['nft', 'legacy'] : ['legacy']
  }
  return { IPv4: await ofFamily('IPv4'), IPv6: await ofFamily('IPv6') }
}

/** Only these are looked at: reading would make the others. */
async function legacyTables(family: IpFamily, procNet: string): Promise<readonly string[]> {
  const names = await readFile(`${procNet}/${family === 'IPv4' ? 'ip' : 'ip6'}_tables_names`, 'utf8').catch(() => '')
  return names.split('\n').filter(name => name !== '')
}
