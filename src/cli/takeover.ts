// `switchyard takeover`: from a kube-proxy, in whichever mode it ran, to Switchyard, without a gap: shows what is there, programs the node once as the daemon
// would, in the chains of the same names, and then removes what nobody would remove otherwise. Where a Switchyard runs already, only that last part.
// Refuses while a kube-proxy lives here.
import type { Config } from '../config/config.ts'
import { bool } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, type FlagValues, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { flagHelp } from '../config/reference.ts'
import { createExec, type Exec } from '../kernel/exec.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { claimNode, findKubeProxy } from '../kernel/writers.ts'
import { count } from '../model/count.ts'
import type { Drain } from '../modes/mode.ts'
import { type Inventory, takeInventory } from '../sync/inventory.ts'
import { leftBehind } from '../sync/left-behind.ts'
import { inventoryText } from './inventory-text.ts'
import { createPlainLogger } from './log.ts'
import { kubeProxyPlace } from './only-writer.ts'
import { paint } from './paint.ts'
import { type ProgrammedOnce, programOnce } from './program-once.ts'
import { configOf, readCluster, sourceFlags, WrongFlags } from './read-cluster.ts'
import { printRemovals, remove } from './removals.ts'
import { readyDaemon } from './running-daemon.ts'
import { complain, refuse, say, wordsOf } from './say.ts'

const ownFlags: Flags = {
  'dry-run': { type: bool, default: false, help: 'Show what would be done, and do nothing.', withConfig: 'applies' },
  force: { type: bool, default: false, help: 'Do not look whether a kube-proxy is running here.', withConfig: 'applies' },
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}
export const flags: Flags = { ...ownFlags, ...sourceFlags, 'metrics-bind-address': runFlags['metrics-bind-address'] }

type Wishes = FlagValues & { readonly 'dry-run'?: boolean; readonly force?: boolean }

const usage = (): string => `Usage: switchyard takeover [--dry-run] [--force] [FLAGS OF run]

Takes this node over from a kube-proxy that was stopped, in whichever mode it ran (iptables, ipvs, nftables), and no connection notices:
  1. shows what is there: rules by IP family and iptables backend, IPVS, nftables, kernel parameters;
  2. programs the node once, as 'switchyard run' with the same flags would, in chains of the same names, and changes nothing else until
     that is complete in every IP family;
  3. removes what nobody would remove otherwise: what the other modes left, kube-proxy's tables of nftables, its KUBE-PROXY-CANARY chains,
     its chains in the other iptables backend. Connections of IPVS go on; Switchyard removes what has none left.
  4. shows what is there then.
Chains, tables and virtual servers of others stay. Where a Switchyard runs on this node already, only 1, 3 and 4. Start Switchyard afterwards;
'switchyard handover' is the way back.

Exit status: 0 done; 1 refused, or it failed: what kube-proxy left is there still; 64 the command line is wrong.

Examples:
  switchyard takeover --dry-run --config /var/lib/kube-proxy/config.conf
  switchyard takeover --config /var/lib/kube-proxy/config.conf --hostname-override node1
  switchyard takeover --manifests ./manifests --hostname-override node1

Flags:
${flagHelp(ownFlags)}
All others as in 'switchyard run --help': which Services, which mode, which node.
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<Wishes>(flags, argv)
  if ((values as { help?: boolean }).help === true) return say(usage())
  if (errors.length + positionals.length > 0) {
    return refuse([
      ...errors.map(formatProblem),
      ...positionals.map(word => `takeover takes no argument ${JSON.stringify(word)}`),
    ])
  }
  const { 'dry-run': dryRun = false, force = false, ...given } = values
  try {
    return await takeover(given, { dryRun, force })
  } catch (error) {
    return complain(wordsOf(error), error instanceof WrongFlags ? 64 : 1)
  }
}

interface Manner {
  readonly dryRun: boolean
  readonly force: boolean
}

async function takeover(given: FlagValues, manner: Manner): Promise<number> {
  const kubeProxy = manner.force ? undefined : await findKubeProxy(kubeProxyPlace)
  if (kubeProxy !== undefined) {
    return complain(
      `${kubeProxy} still programs this node, and would write its rules again. Stop it first, its rules stay: give its DaemonSet a nodeSelector that matches nothing, or stop its service`,
    )
  }
  const log = createPlainLogger()
  const { config } = configOf(given, log)
  const claim = await claimNode(`switchyard takeover (process ${process.pid})`)
  const exec = createExec()
  const look = (): Promise<Inventory> => takeInventory({ exec, sysctl: createSysctl(config.sysctlRoot) })
  try {
    const before = await look()
    say(`Before:\n${inventoryText(before, paint)}\n`)
    const steps = { config, exec, before, look, force: manner.force }
    if (manner.dryRun) return 'heldBy' in claim ? await showRest(claim.heldBy, steps) : await showAll(given, steps)
    const done = 'heldBy' in claim ? await waitForDaemon(claim.heldBy, config) : await programOnce({ config, exec, log })
    return await finish(done, steps)
  } finally {
    if ('release' in claim) await claim.release()
  }
}

interface Steps {
  readonly config: Config
  readonly exec: Exec
  readonly before: Inventory
  readonly look: () => Promise<Inventory>
  readonly force: boolean
}

/** Where the daemon programs the node, it did so itself. */
type Programmed = Pick<ProgrammedOnce, 'backend'> & Partial<ProgrammedOnce>

async function finish({ backend, mode, reports, drains }: Programmed, { exec, look, force }: Steps): Promise<number> {
  if (mode !== undefined && reports !== undefined) say(programmedText({ mode, backend, reports }))
  // To program a large node takes a while.
  const kubeProxy = force ? undefined : await findKubeProxy(kubeProxyPlace)
  if (kubeProxy !== undefined)
    return complain(`${kubeProxy} was started meanwhile, so nothing is removed: stop it, and run this again`)
  const failures = await remove(leftBehind(await look(), backend), { exec, say, complain })
  if (drains !== undefined && drains.length > 0) say(drainsText(drains))
  say(`\nAfter:\n${inventoryText(await look(), paint)}\n`)
  if (failures > 0) return complain('not all could be removed, see above; what is left is stale and may lead connections astray')
  say(
    reports === undefined
      ? 'Done.\n'
      : 'Done. Now start Switchyard on this node with the same flags; until then nobody follows changes.\n',
  )
  return 0
}

function programmedText({ mode, backend, reports }: Pick<ProgrammedOnce, 'mode' | 'backend' | 'reports'>): string {
  const lines = reports.map(({ family, services, written, removed, lines: changed }) => {
    const what = changed === 0 ? 'was so already' : `${written} written, ${removed} removed`
    return `  ${family}: ${count(services, 'Service')} (${mode === 'iptables' ? 'chains' : 'sets, chains and virtual servers'}: ${what})\n`
  })
  return `Programmed, ${mode} mode, ${backend} backend of iptables:\n${lines.join('')}`
}

function drainsText(drains: readonly Drain[]): string {
  const connections = drains.reduce((sum, drain) => sum + (drain.connections ?? 0), 0)
  const latest = new Date(Math.max(...drains.map(({ until }) => until))).toISOString()
  const what = `${count(drains.length, 'real server')} of IPVS with ${count(connections, 'connection')}`
  return `Left for Switchyard:\n  ${what}, at weight 0: nothing new goes there; it removes them and kube-ipvs0 when they have ended, at the latest ${latest} (drain.modeChangeDeadline)\n`
}

/** Gives where the daemon's rules are. */
async function waitForDaemon(heldBy: string, config: Config): Promise<Programmed> {
  const { mode, iptablesBackend } = await readyDaemon(heldBy, config)
  say(`${heldBy} programs this node already, in ${mode} mode (${iptablesBackend} backend of iptables), and is ready.\n`)
  return { backend: iptablesBackend }
}

async function showRest(heldBy: string, { config, before }: Steps): Promise<number> {
  const { backend } = await waitForDaemon(heldBy, config)
  printRemovals(leftBehind(before, backend), say)
  return say('Nothing was changed: this was a dry run.\n')
}

async function showAll(given: FlagValues, { before }: Steps): Promise<number> {
  const reading = await readCluster(given)
  const surveys = await reading.surveys()
  const lines = surveys.map(({ family, plan }) =>
    plan.steps.length === 0
      ? `  ${family}: all is so already\n`
      : `  ${family}: ${plan.written} to write, ${plan.removed} to remove\n`,
  )
  say(
    `Would program, ${reading.modeName} mode, ${reading.backend} backend of iptables (\`switchyard plan\` shows it all):\n${lines.join('')}`,
  )
  for (const { plan } of await reading.retiringSurveys()) {
    for (const step of plan.steps) say(`  IPVS, as far as it has no connections: ${step.why}\n`)
  }
  printRemovals(leftBehind(before, reading.backend), say)
  return say('Nothing was changed: this was a dry run.\n')
}
