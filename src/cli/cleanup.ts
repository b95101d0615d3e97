// `switchyard cleanup` (and kube-proxy's --cleanup): removes everything of ours, of every mode, in both iptables backends and both IP families, and
// puts back the kernel parameters that the state file tells of.
// Refuses while a Switchyard or a kube-proxy lives here, since their chains have the same names; a dry run only says so.
import { bool } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { createExec, type Exec } from '../kernel/exec.ts'
import { type Backend, saveQuery, toolsOf } from '../kernel/iptables.ts'
import { joinPlans } from '../kernel/plan.ts'
import { hasKubeletHint, usableBackends } from '../kernel/probe.ts'
import { claimNode, findKubeProxy } from '../kernel/writers.ts'
import { type IpFamily, ipFamilies } from '../model/address.ts'
import { count } from '../model/count.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import { retire, retireCanary } from '../modes/rules/retire.ts'
import { applyPlan } from '../sync/apply.ts'
import { cleanIpvs } from './cleanup-ipvs.ts'
import { openParameters } from './cleanup-parameters.ts'
import { kubeProxyPlace } from './only-writer.ts'
import { complain, refuse, say, wordsOf } from './say.ts'

export const flags: Flags = {
  'dry-run': { type: bool, default: false, help: 'Print what would be removed, and remove nothing.', withConfig: 'applies' },
  force: {
    type: bool,
    default: false,
    help: 'Do not look whether a Switchyard or a kube-proxy is running.',
    withConfig: 'applies',
  },
  'state-dir': runFlags['state-dir'],
  'sysctl-root': runFlags['sysctl-root'],
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

interface Wishes {
  readonly 'dry-run'?: boolean
  readonly force?: boolean
  readonly 'state-dir'?: string
  readonly 'sysctl-root'?: string
  readonly help?: boolean
}

export interface CleanupOptions {
  readonly dryRun: boolean
  readonly force: boolean
  /** Where the daemon kept its state, and where it set kernel parameters. */
  readonly stateDirectory: string
  readonly sysctlRoot: string
}

const usage = `Usage: switchyard cleanup [--dry-run] [--force] [--state-dir DIR] [--sysctl-root DIR]

Removes every chain and jump of ours from both iptables backends, IPv4 and IPv6, and our virtual servers, sets and kube-ipvs0. Nothing of
others is touched: KUBE-FIREWALL stays where kubelet uses it, a chain of ours that a foreign rule jumps to is emptied, kept and named, and
virtual servers at other addresses stay. Kernel parameters get back the values that
they had before Switchyard changed them; it kept them in its state folder.

  --dry-run          print what would be removed, and remove nothing; also beside a running Switchyard or kube-proxy
  --force            do not look whether a Switchyard or a kube-proxy is running here
  --state-dir DIR    the state folder that Switchyard ran with (default ${runFlags['state-dir'].default})
  --sysctl-root DIR  where kernel parameters can be written (default ${runFlags['sysctl-root'].default})

Exit status: 0 nothing of ours is left, or it was a dry run; 1 something is in the way or failed; 64 the command line is wrong.

Examples:
  switchyard cleanup --dry-run
  switchyard cleanup
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<Wishes>(flags, argv)
  if (values.help === true) return say(usage)
  if (errors.length + positionals.length > 0) {
    return refuse([...errors.map(formatProblem), ...positionals.map(word => `cleanup takes no argument ${JSON.stringify(word)}`)])
  }
  return cleanup({
    dryRun: values['dry-run'] === true,
    force: values.force === true,
    stateDirectory: values['state-dir'] ?? runFlags['state-dir'].default,
    sysctlRoot: values['sysctl-root'] ?? runFlags['sysctl-root'].default,
  })
}

/** Prints what it removes. Exit status 1 where something is in the way or failed. */
export async function cleanup(options: CleanupOptions): Promise<number> {
  const { dryRun, force, stateDirectory, sysctlRoot } = options
  const living = force ? undefined : await findLivingWriter()
  if (living !== undefined && dryRun)
    say(`${living} programs this node: without --dry-run this is refused until it has ended (or --force)\n`)
  else if (living !== undefined) {
    return complain(`${living} programs this node; stop it first, since its chains have the same names (or --force)`)
  }
  const parameters = await openParameters({ stateDirectory, sysctlRoot, dryRun })
  // Before the question whether 127.0.0.0/8 needs its guard still.
  let failures = await parameters.putBack([routeLocalnet])
  const guardNeeded = await parameters.isLocalnetRouted()
  const exec = createExec()
  const failed = (what: string) => (error: unknown) => {
    failures++
    complain(`${what}: ${wordsOf(error)}`)
  }
  const backends = await usableBackends(exec)
  for (const family of ipFamilies) {
    for (const backend of backends[family]) {
      await cleanOne({ family, backend, dryRun, guardNeeded, exec }).catch(failed(`${family}, ${backend} backend`))
    }
  }
  const [backend = 'nft'] = backends.IPv4
  await cleanIpvs({ exec, dryRun, backend, say: line => void say(`${line}\n`) }).catch(failed('IPVS'))
  failures += await parameters.putBack('all that are left')
  if (failures === 0) await parameters.forget()
  return failures === 0 ? 0 : 1
}

async function findLivingWriter(): Promise<string | undefined> {
  const claim = await claimNode('switchyard cleanup')
  if ('heldBy' in claim) return claim.heldBy
  await claim.release()
  return findKubeProxy(kubeProxyPlace)
}

async function cleanOne(options: {
  readonly family: IpFamily
  readonly backend: Backend
  readonly dryRun: boolean
  /** While packets to 127.0.0.0/8 may come in from outside, the rule that drops them stays. */
  readonly guardNeeded: boolean
  readonly exec: Exec
}): Promise<void> {
  const { family, backend, dryRun, exec } = options
  const tools = toolsOf(family, backend)
  const { stdout } = await exec(saveQuery(tools))
  const guardNeeded = family === 'IPv4' && options.guardNeeded
  const keepFirewall = guardNeeded || hasKubeletHint(stdout)
  const plan = joinPlans(retire({ save: stdout, tools, keepFirewall }), retireCanary(stdout, tools))
  const where = `${family}, ${backend} backend`
  if (guardNeeded) say(`${where}: KUBE-FIREWALL stays: ${routeLocalnet} is 1, and it guards 127.0.0.0/8\n`)
  for (const what of plan.kept) say(`${where}: kept, emptied: ${what}\n`)
  if (plan.steps.length === 0) return void say(`${where}: nothing of ours\n`)
  if (!dryRun) await applyPlan(plan, exec)
  say(`${where}: ${dryRun ? 'would remove' : 'removed'} ${count(plan.removed, 'chain')}\n`)
  const deletions = plan.steps.flatMap(step => [...step.input]).flatMap(chunk => chunk.lines.filter(line => /^-[DX] /.test(line)))
  if (dryRun) for (const line of deletions) say(`  ${line}\n`)
}
