// `switchyard verify`: is this node's kernel as it should be, and if not, what does that mean? Reads the cluster and the kernel itself, or asks the
// daemon; changes nothing.
import { bool, choice } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, type FlagValues, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { verifyObject } from '../explain/verify.ts'
import { type VerifyObject, verifyPath } from '../explain/verify-object.ts'
import { askDaemon } from './ask-daemon.ts'
import { paint } from './paint.ts'
import { type ClusterReading, namesSource, readCluster, sourceFlags, surplusFlags, WrongFlags } from './read-cluster.ts'
import { readParameters } from './read-parameters.ts'
import { verifyText } from './verify-text.ts'

export const flags: Flags = {
  ...sourceFlags,
  'metrics-bind-address': runFlags['metrics-bind-address'],
  output: { type: choice('text', 'json'), default: 'text', help: 'text or json.', withConfig: 'applies', letter: 'o' },
  all: { type: bool, default: false, help: 'All differences, however many a Service has.', withConfig: 'applies' },
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

interface OwnFlags {
  readonly output?: 'text' | 'json'
  readonly all?: boolean
  readonly help?: boolean
}

/** Of one Service, unless all are asked for. */
const mostDrifts = 20

const usage = `Usage: switchyard verify [FLAGS OF run] [-o json] [--all]

Compares this node's kernel with what it should hold, and names each difference with its Service and what it means for connections. Changes nothing;
a running Switchyard repairs by itself what it finds. Without flags that name a source it asks the Switchyard that runs on this node.

  --manifests FOLDER, --config FILE, --kubeconfig FILE, --master URL
                          where the cluster's objects are; all other flags of 'switchyard run' count as well ('switchyard run --help')
  -o, --output FORMAT     text (default) or json
  --all                   all differences (else ${mostDrifts} a Service)
  --metrics-bind-address HOST:PORT
                          where the running Switchyard serves its metrics (default ${runFlags['metrics-bind-address'].default})

Exit status: 0 the kernel is as it should be; 1 it is not, or it cannot be told; 64 the command line is wrong.

Examples:
  switchyard verify
  switchyard verify --config /var/lib/kube-proxy/config.conf
  switchyard verify -o json | jq -r '.drifts[] | "\\(.service): \\(.meaning)"'
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<FlagValues & OwnFlags>(flags, argv)
  if (values.help === true) return print(usage, 0)
  if (errors.length + positionals.length > 0) {
    for (const problem of errors) complain(formatProblem(problem))
    for (const word of positionals) complain(`verify takes no argument ${JSON.stringify(word)}`)
    return 64
  }
  const surplus = surplusFlags(values)
  if (surplus !== undefined) return complain(surplus) && 64
  try {
    const found = await verify(values)
    if ('problem' in found) return complain(found.problem)
    const status = found.object.clean ? 0 : 1
    if (values.output === 'json') return print(`${JSON.stringify(found.object, undefined, 2)}\n`, status)
    return print(verifyText(found.object, { paint, most: values.all === true ? undefined : mostDrifts }), status)
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error))
    return error instanceof WrongFlags ? 64 : 1
  }
}

async function verify(values: FlagValues): Promise<{ readonly object: VerifyObject } | { readonly problem: string }> {
  if (namesSource(values)) return { object: await verificationOf(await readCluster(values)) }
  const answer = await askDaemon<VerifyObject>({
    place: { 'metrics-bind-address': values['metrics-bind-address'] as string | undefined },
    path: verifyPath,
    kind: 'Verification',
  })
  if ('object' in answer) return answer
  const advice = "to verify without it, name the cluster's objects: --config FILE, --kubeconfig FILE or --manifests FOLDER"
  return { problem: `${answer.problem}; ${advice}` }
}

async function verificationOf(reading: ClusterReading): Promise<VerifyObject> {
  const { config, modeName: mode, source, input } = reading
  const inspections = await reading.surveys()
  const parameters = await readParameters(reading, inspections)
  return verifyObject({ node: config.nodeName, mode, source, sweeps: input.sweep, now: Date.now(), inspections, parameters })
}

function print(text: string, status: number): number {
  process.stdout.write(text)
  return status
}

function complain(problem: string): number {
  process.stderr.write(`switchyard: ${problem}\n`)
  return 1
}
