// `switchyard plan`: what would change in this node's kernel now. Reads the cluster and the kernel itself, or asks the daemon; changes nothing.
import { bool, choice } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, type FlagValues, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { planObject } from '../explain/plan.ts'
import { type PlanObject, planPath } from '../explain/plan-object.ts'
import { asChange } from '../server/explain-handlers.ts'
import { askDaemon } from './ask-daemon.ts'
import { paint } from './paint.ts'
import { planText } from './plan-text.ts'
import { type ClusterReading, namesSource, readCluster, sourceFlags, surplusFlags, WrongFlags } from './read-cluster.ts'
import { readParameters } from './read-parameters.ts'

export const flags: Flags = {
  ...sourceFlags,
  'metrics-bind-address': runFlags['metrics-bind-address'],
  output: { type: choice('text', 'json'), default: 'text', help: 'text or json.', withConfig: 'applies', letter: 'o' },
  summary: { type: bool, default: false, help: 'Only how many changes each Service has.', withConfig: 'applies' },
  all: { type: bool, default: false, help: 'All lines, however many a Service has.', withConfig: 'applies' },
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

interface OwnFlags {
  readonly output?: 'text' | 'json'
  readonly summary?: boolean
  readonly all?: boolean
  readonly help?: boolean
}

/** Of one Service, unless all are asked for. */
const mostLines = 40

const usage = `Usage: switchyard plan [FLAGS OF run] [-o json] [--summary | --all]

What would change in this node's kernel if 'switchyard run' with the same flags started now: chains, rules, sets, virtual servers, addresses and
kernel parameters, by Service. Works beside a running kube-proxy or Switchyard and changes nothing. Without flags that name a source it asks the
Switchyard that runs on this node what it has to repair.

  --manifests FOLDER, --config FILE, --kubeconfig FILE, --master URL
                          where the cluster's objects are; all other flags of 'switchyard run' count as well ('switchyard run --help')
  -o, --output FORMAT     text (default) or json
  --summary               only how many changes each Service has
  --all                   all lines (else ${mostLines} a Service)
  --metrics-bind-address HOST:PORT
                          where the running Switchyard serves its metrics (default ${runFlags['metrics-bind-address'].default})

Exit status: 0 nothing to do; 2 changes; 1 the cluster or the kernel cannot be read, or nothing answers; 64 the command line is wrong.

Examples:
  switchyard plan --config /var/lib/kube-proxy/config.conf    what would change if this node switched from kube-proxy
  switchyard plan --manifests ./manifests --hostname-override node1 --summary
  switchyard plan --config config.yaml --proxy-mode ipvs -o json | jq '.families[].totals'
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<FlagValues & OwnFlags>(flags, argv)
  if (values.help === true) return print(usage, 0)
  if (errors.length + positionals.length > 0) {
    for (const problem of errors) complain(formatProblem(problem))
    for (const word of positionals) complain(`plan takes no argument ${JSON.stringify(word)}`)
    return 64
  }
  const surplus = surplusFlags(values)
  if (surplus !== undefined) return complain(surplus) && 64
  try {
    const plan = await makePlan(values)
    if ('problem' in plan) return complain(plan.problem)
    const status = plan.object.empty ? 0 : 2
    if (values.output === 'json') return print(`${JSON.stringify(plan.object, undefined, 2)}\n`, status)
    const { summary = false, all = false } = values
    return print(planText(plan.object, { paint, summary, most: all ? undefined : mostLines }), status)
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error))
    return error instanceof WrongFlags ? 64 : 1
  }
}

async function makePlan(values: FlagValues): Promise<{ readonly object: PlanObject } | { readonly problem: string }> {
  if (namesSource(values)) return { object: await planOf(await readCluster(values)) }
  const answer = await askDaemon<PlanObject>({
    place: { 'metrics-bind-address': values['metrics-bind-address'] as string | undefined },
    path: planPath,
    kind: 'Plan',
  })
  if ('object' in answer) return answer
  const advice = "to plan without it, name the cluster's objects: --config FILE, --kubeconfig FILE or --manifests FOLDER"
  return { problem: `${answer.problem}; ${advice}` }
}

async function planOf(reading: ClusterReading): Promise<PlanObject> {
  const { config, modeName: mode, source, input } = reading
  const inspections = [...(await reading.surveys()), ...(await reading.retiringSurveys())]
  const parameters = await readParameters(reading, inspections)
  const facts = { node: config.nodeName, mode, source, sweeps: input.sweep, now: Date.now(), inspections }
  return planObject({ ...facts, parameters: parameters.map(asChange) })
}

function print(text: string, status: number): number {
  process.stdout.write(text)
  return status
}

function complain(problem: string): number {
  process.stderr.write(`switchyard: ${problem}\n`)
  return 1
}
