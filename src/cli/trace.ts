// `switchyard trace`: what would become of a packet, by the kernel's own rules. Reads the cluster and the kernel itself, or asks the daemon; sends nothing.
import { bool, choice } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, type FlagValues, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { type Problem, type TraceQuestion, traceObject } from '../explain/trace.ts'
import { type TraceObject, tracePath } from '../explain/trace-object.ts'
import { askDaemon } from './ask-daemon.ts'
import { paint } from './paint.ts'
import { plain } from './plain.ts'
import { namesSource, readCluster, sourceFlags, surplusFlags, WrongFlags } from './read-cluster.ts'
import { traceText } from './trace-text.ts'

export const flags: Flags = {
  ...sourceFlags,
  'metrics-bind-address': runFlags['metrics-bind-address'],
  output: { type: choice('text', 'json'), default: 'text', help: 'text or json.', withConfig: 'applies', letter: 'o' },
  family: { type: choice('IPv4', 'IPv6'), default: '', help: 'Where both ends have both.', withConfig: 'applies' },
  path: { type: bool, default: false, help: 'Every rule that it passes.', withConfig: 'applies' },
  all: { type: bool, default: false, help: 'All endpoints, however many there are.', withConfig: 'applies' },
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

interface OwnFlags {
  readonly output?: 'text' | 'json'
  readonly family?: 'IPv4' | 'IPv6'
  readonly path?: boolean
  readonly all?: boolean
  readonly help?: boolean
}

/** Endpoints of one answer, unless all are asked for. */
const mostEndpoints = 20

const usage = `Usage: switchyard trace FROM TO[:PORT][/PROTOCOL] [-o json] [--path] [FLAGS OF run]

What would become of a new connection: whose address it is, which rules or which virtual server decide, the endpoints with their chances and why others
get none, whether it is masqueraded. Walks the rules that are in the kernel now, and says where these are not as they should be. Sends no packet.
Asks the Switchyard that runs on this node; with flags that name a source it reads the cluster and the kernel itself. What others made with nft, and
rules of the other iptables backend, it does not see.

  FROM    an address, pod/NAME, pod/NAMESPACE/NAME, node (this one), outside (some client that is no pod)
  TO      an address, svc/NAME, svc/NAMESPACE/NAME, pod/NAME, node
  PORT    a number, or the name of the Service's port; needed where there are several
  PROTOCOL  TCP, UDP or SCTP; TCP where nothing is said and the port has it

  -o, --output FORMAT     text (default) or json
  --family FAMILY         IPv4 or IPv6, where both ends have both (default: the first that this node has)
  --path                  every rule that it passes
  --all                   all endpoints (else ${mostEndpoints})
  --manifests FOLDER, --config FILE, --kubeconfig FILE, --master URL
                          where the cluster's objects are; all other flags of 'switchyard run' count as well ('switchyard run --help')
  --metrics-bind-address HOST:PORT
                          where the running Switchyard serves its metrics (default ${runFlags['metrics-bind-address'].default})

Exit status: 0 it could be told, whatever it is; 1 it could not; 64 the command line is wrong.

Examples:
  switchyard trace outside node:30008                why does (or does not) node port 30008 of this node answer?
  switchyard trace pod/web-1 svc/kube-system/kube-dns:53/UDP
  switchyard trace 10.244.1.11 10.96.0.1:443 --path
  switchyard trace node svc/web -o json | jq '.candidates[].endpoint'
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<FlagValues & OwnFlags>(flags, argv)
  if (values.help === true) return print(usage)
  const [from, to, ...surplus] = positionals
  if (errors.length > 0 || from === undefined || to === undefined || surplus.length > 0) {
    for (const problem of errors) complain(formatProblem(problem))
    if (errors.length === 0)
      complain(`trace takes two arguments, FROM and TO, and got ${positionals.length}; see 'switchyard trace --help'`)
    return 64
  }
  const surplusFlag = surplusFlags(values)
  if (surplusFlag !== undefined) return complain(surplusFlag) && 64
  try {
    const found = await ask({ from, to, family: values.family }, values)
    if ('problem' in found) return complain(plain(found.problem))
    if (values.output === 'json') return print(`${JSON.stringify(found.object, undefined, 2)}\n`)
    const { path = false, all = false } = values
    const width = Math.min(process.stdout.columns ?? 80, 120)
    return print(traceText(found.object, { paint, width, path, most: all ? undefined : mostEndpoints }))
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error))
    return error instanceof WrongFlags ? 64 : 1
  }
}

async function ask(question: TraceQuestion, values: FlagValues): Promise<{ readonly object: TraceObject } | Problem> {
  if (namesSource(values)) {
    const { cluster, surveys } = await readCluster(values)
    const object = traceObject(question, { inspections: await surveys(), cluster }, Date.now())
    return 'problem' in object ? object : { object }
  }
  const { from, to, family } = question
  const query = new URLSearchParams({ from, to, ...(family === undefined ? {} : { family }) })
  const answer = await askDaemon<TraceObject>({
    place: { 'metrics-bind-address': values['metrics-bind-address'] as string | undefined },
    path: `${tracePath}?${query}`,
    kind: 'Trace',
  })
  if ('object' in answer || !answer.problem.startsWith('nothing answers')) return answer
  const advice = "to trace without it, name the cluster's objects: --config FILE, --kubeconfig FILE or --manifests FOLDER"
  return { problem: `${answer.problem}; ${advice}` }
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function complain(problem: string): number {
  process.stderr.write(`switchyard: ${problem}\n`)
  return 1
}
