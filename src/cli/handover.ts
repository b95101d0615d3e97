// `switchyard handover`: back to a kube-proxy. Switchyard was stopped and its rules carry the traffic; what goes is only what kube-proxy neither uses nor ever
// removes, and never what carries traffic before kube-proxy has programmed its own. Refuses while a Switchyard lives here; a dry run only says so.
import { bool, choice } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { flagHelp } from '../config/reference.ts'
import { createExec, type Exec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import { toolsOf } from '../kernel/iptables.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { claimNode, findKubeProxy, findWriter } from '../kernel/writers.ts'
import type { IpFamily } from '../model/address.ts'
import { count } from '../model/count.ts'
import { nodeFacts } from '../model/node.ts'
import { serviceLink } from '../modes/ipvs/names.ts'
import { retiringIpvsMode } from '../modes/ipvs/retiring.ts'
import type { Drain } from '../modes/mode.ts'
import { type Inventory, takeInventory } from '../sync/inventory.ts'
import { retireOnce, waitForHalfOpen } from '../sync/retirement.ts'
import { type ProxyMode, proxyModes, standingMode, standTwice, type WayBack, wayBack } from '../sync/way-back.ts'
import { defaultTraffic } from './cleanup-ipvs.ts'
import { inventoryText } from './inventory-text.ts'
import { kubeProxyPlace } from './only-writer.ts'
import { paint } from './paint.ts'
import { printRemovals, remove } from './removals.ts'
import { complain, refuse, say, wordsOf } from './say.ts'

export const flags: Flags = {
  to: {
    type: choice(...proxyModes),
    default: 'iptables',
    help: 'The mode that kube-proxy will run in, or runs in; by itself the mode whose rules stand.',
    withConfig: 'applies',
  },
  'dry-run': { type: bool, default: false, help: 'Show what would be removed, and remove nothing.', withConfig: 'applies' },
  'sysctl-root': runFlags['sysctl-root'],
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

interface Wishes {
  readonly to?: ProxyMode
  readonly 'dry-run'?: boolean
  readonly 'sysctl-root'?: string
  readonly help?: boolean
}

const usage = (): string => `Usage: switchyard handover [--to iptables|ipvs|nftables] [--dry-run] [--sysctl-root DIR]

Gives this node back to kube-proxy, and no connection notices. Stop Switchyard first; its rules stay and carry the traffic. Then:
  kube-proxy in the mode whose rules stand:  switchyard handover, then start kube-proxy.
  kube-proxy in another mode:                switchyard handover --to MODE, then start kube-proxy; when it has synced, the same once more.
The first run removes what kube-proxy neither uses nor removes (sets and chains named SWITCHYARD-*). The second one removes what a kube-proxy
in that mode keeps of the other for ever; IPVS only as far as it has no connections, so run it again for the rest.

Exit status: 0 done; 1 refused, or something failed; 64 the command line is wrong.

Examples:
  switchyard handover --dry-run
  switchyard handover
  switchyard handover --to ipvs

Flags:
${flagHelp(flags)}`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<Wishes>(flags, argv)
  if (values.help === true) return say(usage())
  if (errors.length + positionals.length > 0) {
    return refuse([
      ...errors.map(formatProblem),
      ...positionals.map(word => `handover takes no argument ${JSON.stringify(word)}`),
    ])
  }
  const dryRun = values['dry-run'] === true
  const claim = dryRun ? undefined : await claimNode(`switchyard handover (process ${process.pid})`)
  if (claim !== undefined && 'heldBy' in claim) {
    return complain(`${claim.heldBy} programs this node, and would write again what is removed. Stop it first; its rules stay`)
  }
  const living = dryRun ? await findWriter() : undefined
  if (living !== undefined) say(`${living} programs this node: without --dry-run this is refused until it has ended.\n`)
  try {
    return await handover(values)
  } catch (error) {
    return complain(wordsOf(error))
  } finally {
    await claim?.release()
  }
}

async function handover(wishes: Wishes): Promise<number> {
  const exec = createExec()
  const sysctl = createSysctl(wishes['sysctl-root'] ?? runFlags['sysctl-root'].default)
  const before = await takeInventory({ exec, sysctl })
  say(`Before:\n${inventoryText(before, paint)}\n`)
  const to = wishes.to ?? standingMode(before)
  if (to === undefined) return say('No service proxy has rules here: nothing to hand over.\n')
  if (wishes.to === undefined && standTwice(before)) {
    const which =
      'rules of iptables and kube-proxy tables of nftables both take packets; say with --to which a kube-proxy keeps up to date'
    return complain(`${which}: --to nftables only where one runs in that mode, else --to iptables or --to ipvs`)
  }
  const plan = wayBack(before, to)
  if (to === 'nftables' && !isEmpty(plan) && (await findKubeProxy(kubeProxyPlace)) === undefined) {
    // A takeover that failed leaves such tables, and they carry nothing.
    const advice =
      'start kube-proxy in nftables mode, wait until it has synced, and run this again; what stands carries the traffic'
    return complain(`there are kube-proxy tables of nftables, but no kube-proxy lives here, so they may be stale: ${advice}`)
  }
  if (wishes['dry-run'] === true) {
    printRemovals(plan.removals, say)
    for (const family of plan.retireIpvs) say(`Would remove IPVS, ${family}, as far as it has no connections.\n`)
    if (isEmpty(plan)) say('Nothing to remove: kube-proxy uses all that is there.\n')
    return say(`${nextText(plan, to)}Nothing was changed: this was a dry run.\n`)
  }
  const failures = await remove(plan.removals, { exec, say, complain })
  const drains = await retireIpvs(plan.retireIpvs, { before, exec })
  if (isEmpty(plan)) say('Nothing to remove: kube-proxy uses all that is there.\n')
  else say(`\nAfter:\n${inventoryText(await takeInventory({ exec, sysctl }), paint)}\n`)
  if (failures > 0) return complain('not all could be removed, see above')
  return say(`${drainsText(drains, to)}${nextText(plan, to)}`)
}

function isEmpty({ removals, retireIpvs: families }: WayBack): boolean {
  return removals.length + families.length === 0
}

/** One family after the other: the link goes with the later one. */
async function retireIpvs(
  families: readonly IpFamily[],
  { before, exec }: { before: Inventory; exec: Exec },
): Promise<readonly Drain[]> {
  const settings = defaultTraffic()
  const node = nodeFacts('', undefined, interfaceAddresses(serviceLink))
  const drains: Drain[] = []
  if (families.length > 0) await waitForHalfOpen()
  for (const family of families) {
    const backend =
      before.rules.find(found => found.family === family && found.chains.ipvs > 0)?.backend ?? backendOf(before, family)
    // Nobody is there who would cut them later.
    const mode = retiringIpvsMode({ family, tools: toolsOf(family, backend), deadlineMs: Number.POSITIVE_INFINITY })
    const input = () => ({ node, settings, sweep: true })
    drains.push(...(await retireOnce({ mode, exec, input, now: () => performance.now(), earlierDrains: new Map() })))
  }
  return drains
}

function backendOf({ rules }: Inventory, family: IpFamily) {
  return rules.find(found => found.family === family)?.backend ?? 'nft'
}

function drainsText(drains: readonly Drain[], to: ProxyMode): string {
  if (drains.length === 0) return ''
  const connections = drains.reduce((sum, drain) => sum + (drain.connections ?? 0), 0)
  const what = `${count(drains.length, 'real server')} of IPVS with ${count(connections, 'connection')}`
  return `${what} stay, at weight 0: nothing new goes there. When they have ended: switchyard handover --to ${to}\n`
}

function nextText({ waiting }: WayBack, to: ProxyMode): string {
  if (waiting.length === 0) return `Next: start kube-proxy in ${to} mode, if it does not run yet.\n`
  if (to === 'nftables') {
    return `What is there stays, since it carries the traffic of ${waiting.join(' and ')}. Next:
  1. start kube-proxy in nftables mode and wait until it has synced. When it starts it removes rules of iptables and IPVS by itself, before its own
     are there: that gap is its own;
  2. switchyard handover --to nftables    (removes what it does not know, and what it left)
`
  }
  return `What is there stays, since it carries the traffic of ${waiting.join(' and ')} until kube-proxy has programmed its own. Next:
  1. start kube-proxy in ${to} mode and wait until it has synced;
  2. switchyard handover --to ${to}    (removes what that kube-proxy would keep for ever)
`
}
