// `switchyard status`: asks the daemon that runs on this node how it is, or about Services. Reads only; talks to the metrics port.
import { bool, choice, int32, text } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { type Status, statusPath } from '../server/status-object.ts'
import { askDaemon, type DaemonAnswer, type NoAnswer } from './ask-daemon.ts'
import { askForServices } from './ask-for-services.ts'
import { paint } from './paint.ts'
import { complain, refuse, say } from './say.ts'
import { type Screen, statusText } from './status-text.ts'
import { watch } from './watch.ts'

const usualPauseSeconds = 2

export const flags: Flags = {
  output: { type: choice('text', 'json'), default: 'text', help: 'text or json.', withConfig: 'applies', letter: 'o' },
  watch: {
    type: { ...int32(1, 3600), bare: usualPauseSeconds },
    default: usualPauseSeconds,
    help: 'Ask again and again, every so many seconds.',
    withConfig: 'applies',
    letter: 'w',
  },
  search: { type: text(), default: '', help: 'Only Services with this in a name, an address or a port.', withConfig: 'applies' },
  limit: { type: int32(1, 2000), default: 200, help: 'How many Services to show at most.', withConfig: 'applies' },
  'metrics-bind-address': runFlags['metrics-bind-address'],
  config: runFlags.config,
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

export const words = ['services']

interface Wishes {
  readonly output?: 'text' | 'json'
  readonly watch?: number
  readonly search?: string
  readonly limit?: number
  readonly 'metrics-bind-address'?: string
  readonly config?: string
  readonly help?: boolean
}

const usage = `Usage: switchyard status [FLAGS]
       switchyard status services [NAME | NAMESPACE/NAME] [FLAGS]

Asks the Switchyard that runs on this node how it is: mode, IP families with their last syncs, Services, what is quarantined, and what
drains: which connections go on although nothing new is sent that way, and until when. Changes nothing.

With 'services': each Service in a line; with a name that one whole: every address, what becomes of connections from pods, from the node
and from outside ('Cluster (2)': they go to the 2 endpoints of policy Cluster), and every endpoint with its share of new connections, or
why it gets none.

  -o, --output FORMAT               text (default) or json: the object that the daemon serves below /switchyard/v1/
  -w, --watch [SECONDS]             ask again every ${usualPauseSeconds} s, or as often as said, until Ctrl-C
  --search TEXT                     with 'services': only those with this in their name, an address or a port
  --limit N                         with 'services': at most so many (default 200, at most 2000)
  --metrics-bind-address HOST:PORT  where it serves its metrics (default ${runFlags['metrics-bind-address'].default})
  --config FILE                     take that address from the KubeProxyConfiguration that it runs with

Exit status: 0 it answers, ready or not; 1 nothing answers, something else does, or there is no such Service; 64 the command line or
the configuration is wrong. With --watch 0, once it is interrupted.

Examples:
  switchyard status
  switchyard status --watch
  switchyard status --config /var/lib/kube-proxy/config.conf
  switchyard status -o json | jq '.families[].drains[]'
  switchyard status services --search 30080
  switchyard status services default/web
`

/** What is told, or why nothing is. */
export interface Told {
  readonly object: unknown
  readonly text: (screen: Screen) => string
}
export type Ask = () => Promise<Told | NoAnswer>

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<Wishes>(flags, argv)
  if (values.help === true) return say(usage)
  const mistakes = [...errors.map(formatProblem), ...misplaced(positionals, values)]
  if (mistakes.length > 0) return refuse(mistakes)
  const ask = questionOf(positionals, values)
  return values.watch === undefined ? once(ask, values) : again(ask, values, values.watch)
}

function misplaced([subject, name, ...surplus]: readonly string[], { search, limit }: Wishes): readonly string[] {
  if (subject === undefined) {
    const given = [...(search === undefined ? [] : ['--search']), ...(limit === undefined ? [] : ['--limit'])]
    return given.map(flag => `${flag} is for 'switchyard status services'`)
  }
  if (subject !== 'services') {
    const services = `'switchyard status services' lists Services, 'switchyard status services NAME' shows one`
    return [`status takes no argument ${JSON.stringify(subject)}; ${services}`]
  }
  const beside =
    name === undefined || (search === undefined && limit === undefined)
      ? []
      : ['--search and --limit are for a list, not beside a name']
  return [...surplus.map(word => `status services takes one name, not also ${JSON.stringify(word)}`), ...beside]
}

function questionOf([subject, name]: readonly string[], wishes: Wishes): Ask {
  const { output: _, watch: __, help: ___, search = '', limit, ...place } = wishes
  const get = <T>(path: string, kind: string): Promise<DaemonAnswer<T>> => askDaemon<T>({ place, path, kind, timeoutMs: 5000 })
  if (subject !== undefined) return () => askForServices(get, { name, search, limit })
  return async () => {
    const answer = await get<Status>(statusPath, 'Status')
    return 'problem' in answer ? answer : { object: answer.object, text: screen => statusText(answer.object, screen) }
  }
}

async function once(ask: Ask, { output }: Wishes): Promise<number> {
  const told = await ask()
  return 'problem' in told ? complain(told.problem, told.misconfigured === true ? 64 : 1) : say(inForm(told, output))
}

function inForm({ object, text: words }: Told, output: Wishes['output']): string {
  if (output === 'json') return `${JSON.stringify(object, undefined, 2)}\n`
  return words({ paint, width: process.stdout.columns ?? Number.POSITIVE_INFINITY })
}

/** Goes on while the daemon is away. Ends well when it is interrupted, or nobody reads any more. */
async function again(ask: Ask, { output }: Wishes, seconds: number): Promise<number> {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  process.stdout.once('error', end)
  const now = (): string => new Date().toTimeString().slice(0, 8)
  const about = (): string => (process.stdout.isTTY ? `every ${seconds} s, ${now()}; Ctrl-C ends it` : `at ${now()}`)
  const heading = (): string => (output === 'json' ? '' : `${about()}\n\n`)
  await watch({
    ask: async () => {
      const told = await ask()
      if (!('problem' in told)) return { text: `${heading()}${inForm(told, output)}`, failed: false }
      if (output !== 'json') return { text: `${heading()}${paint('bad', '!')} ${told.problem}\n`, failed: true }
      complain(told.problem)
      return { text: '', failed: true }
    },
    everyMs: seconds * 1000,
    output: process.stdout,
    signal: stop.signal,
  })
  return 0
}
