// `switchyard plan`: what would change in this node's kernel now. Reads the cluster and the kernel itself, or asks the daemon; changes nothing.
import { bool } from '../config/field-type.ts'
import type { Flags } from '../config/flags.ts'
import { planObject } from '../explain/plan.ts'
import { type PlanObject, planPath } from '../explain/plan-object.ts'
import { lookingCommand, lookingFlags, placeHelp, sourceHelp } from './looking-command.ts'
import { paint } from './paint.ts'
import { planText } from './plan-text.ts'
import { type ClusterReading, compare } from './read-cluster.ts'

export const flags: Flags = {
  ...lookingFlags,
  summary: { type: bool, default: false, help: 'Only how many changes each Service has.', withConfig: 'applies' },
  all: { type: bool, default: false, help: 'All lines, however many a Service has.', withConfig: 'applies' },
}

interface Wishes {
  readonly summary?: boolean
  readonly all?: boolean
}

/** Of one Service, unless all are asked for. */
const mostLines = 40

const usage = `Usage: switchyard plan [FLAGS OF run] [-o json] [--summary | --all]

What would change in this node's kernel if 'switchyard run' with the same flags started now: chains, rules, sets, virtual servers, addresses and
kernel parameters, by Service. Works beside a running kube-proxy or Switchyard and changes nothing. Where 'switchyard run'
would not start, or would fall back to another mode, it says so. Without flags that name a source it asks the Switchyard that runs on this node
what it has to repair.

${sourceHelp}
  -o, --output FORMAT     text (default) or json
  --summary               only how many changes each Service has
  --all                   all lines (else ${mostLines} a Service)
${placeHelp}

Exit status: 0 nothing to do; 2 changes; 1 the cluster or the kernel cannot be read, or nothing answers; 64 the command line is wrong.

Examples:
  switchyard plan --config /var/lib/kube-proxy/config.conf    what would change if this node switched from kube-proxy
  switchyard plan --manifests ./manifests --hostname-override node1 --summary
  switchyard plan --config config.yaml --proxy-mode ipvs -o json | jq '.families[].totals'
`

export const main = lookingCommand<Wishes, PlanObject>({
  ...{ name: 'plan', flags, usage, kind: 'Plan', path: () => planPath },
  find: async reading => ({ object: await planOf(reading) }),
  text: (plan, { summary = false, all = false }) => planText(plan, { paint, summary, most: all ? undefined : mostLines }),
  status: ({ empty }) => (empty ? 0 : 2),
})

async function planOf(reading: ClusterReading): Promise<PlanObject> {
  return planObject(await compare(reading, [...(await reading.surveys()), ...(await reading.retiringSurveys())]))
}
