// What plan, verify and trace have in common: they answer from the cluster and the kernel where flags name a source, and else ask the daemon of this
// node. Takes what is a command's own; gives its `main`.
import { bool, choice } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, type FlagValues, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { findKubeProxy, findWriter } from '../kernel/writers.ts'
import { askDaemon } from './ask-daemon.ts'
import { kubeProxyPlace } from './only-writer.ts'
import { plain } from './plain.ts'
import { type ClusterReading, namesSource, readCluster, sourceFlags, surplusFlags, WrongFlags } from './read-cluster.ts'
import { complain, refuse, say, wordsOf } from './say.ts'
import { span } from './span.ts'

export const lookingFlags: Flags = {
  ...sourceFlags,
  'metrics-bind-address': runFlags['metrics-bind-address'],
  output: { type: choice('text', 'json'), default: 'text', help: 'text or json.', withConfig: 'applies', letter: 'o' },
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

interface LookingWishes {
  readonly 'metrics-bind-address'?: string
  readonly output?: 'text' | 'json'
  readonly help?: boolean
}

/** Lines of the help, for flags of all three. */
export const sourceHelp = `  --manifests FOLDER, --config FILE, --kubeconfig FILE, --master URL
                          where the cluster's objects are; all other flags of 'switchyard run' count as well ('switchyard run --help')`
export const placeHelp = `  --metrics-bind-address HOST:PORT
                          where the running Switchyard serves its metrics (default ${runFlags['metrics-bind-address'].default})`

/** The command line: arguments in order, and the command's own flags. */
export interface Asked<Wishes> {
  readonly words: readonly string[]
  readonly wishes: Wishes
}

export type Found<Answer> = { readonly object: Answer } | { readonly problem: string }

/** RFC 3339. */
interface Times {
  readonly time: string
  readonly readAt: string
}

export interface LookingCommand<Wishes, Answer> {
  /** `plan`; also what it does, as a verb. */
  readonly name: string
  readonly flags: Flags
  readonly usage: string
  /** What is wrong with the arguments, in words. Absent: it takes none. */
  readonly mistakes?: (words: readonly string[]) => readonly string[]
  /** Tells of rules that somebody has to keep up to date. Absent: no. */
  readonly tellsKeeper?: boolean
  /** From the cluster and the kernel. May throw, in words for the user. */
  readonly find: (reading: ClusterReading, asked: Asked<Wishes>) => Promise<Found<Answer>>
  /** What the daemon is asked, and the kind of the object that it answers with. */
  readonly path: (asked: Asked<Wishes>) => string
  readonly kind: string
  readonly text: (answer: Answer, wishes: Wishes) => string
  /** Exit status. */
  readonly status: (answer: Answer) => number
}

export function lookingCommand<Wishes, Answer extends Times>(command: LookingCommand<Wishes, Answer>) {
  const {
    flags,
    usage,
    mistakes = words => words.map(word => `${command.name} takes no argument ${JSON.stringify(word)}`),
  } = command
  return async (argv: readonly string[]): Promise<number> => {
    const { values, errors, positionals: words } = parseFlagsOf<FlagValues & LookingWishes & Wishes>(flags, argv)
    if (values.help === true) return say(usage)
    if (errors.length > 0) return refuse(errors.map(formatProblem))
    const surplus = surplusFlags(values)
    const wrong = [...mistakes(words), ...(surplus === undefined ? [] : [surplus])]
    if (wrong.length > 0) return refuse(wrong)
    try {
      const found = await answer(command, { words, wishes: values })
      if ('problem' in found) return complain(plain(found.problem))
      const { object } = found
      const text =
        values.output === 'json'
          ? `${JSON.stringify(object, undefined, 2)}\n`
          : `${command.text(object, values)}${ageText(object)}${await keeperText(command, values)}`
      return say(text, command.status(object))
    } catch (error) {
      return complain(wordsOf(error), error instanceof WrongFlags ? 64 : 1)
    }
  }
}

/** The daemon lets all who ask share a reading for a while. */
export function ageText({ time, readAt }: Times): string {
  const milliseconds = Date.parse(time) - Date.parse(readAt)
  return milliseconds > 1000 ? `As the kernel was read ${span(time, readAt)} ago.\n` : ''
}

/** Where the daemon was not asked: whether there is one, or a kube-proxy. */
async function keeperText(command: { readonly tellsKeeper?: boolean }, flags: FlagValues): Promise<string> {
  if (command.tellsKeeper !== true || !namesSource(flags) || (await findWriter().catch(() => undefined)) !== undefined) return ''
  const kubeProxy = await findKubeProxy(kubeProxyPlace).catch(() => undefined)
  if (kubeProxy !== undefined) return `\nNo Switchyard runs on this node: its rules are kept by ${plain(kubeProxy)}.\n`
  return '\nNothing keeps these rules up to date: neither Switchyard nor kube-proxy runs on this node.\n'
}

async function answer<Wishes, Answer>(
  { name, find, path, kind }: LookingCommand<Wishes, Answer>,
  asked: Asked<FlagValues & LookingWishes & Wishes>,
): Promise<Found<Answer>> {
  const { wishes } = asked
  if (namesSource(wishes)) return find(await readCluster(wishes), asked)
  const place = { 'metrics-bind-address': wishes['metrics-bind-address'] }
  const found = await askDaemon<Answer>({ place, path: path(asked), kind })
  if ('object' in found || found.refused === true) return found
  const advice = `to ${name} without it, name the cluster's objects: --config FILE, --kubeconfig FILE or --manifests FOLDER`
  return { problem: `${found.problem}; ${advice}` }
}
