// `switchyard status`: asks the daemon that runs on this node how it is, or what it knows of Services. Reads only; talks to the metrics port.
import { bool, choice, int32, text } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, flags as runFlags } from '../config/flags.ts'
import { formatProblem } from '../config/problem.ts'
import { type ServiceDetail, type ServiceList, servicesPath } from '../explain/services-object.ts'
import { type Status, statusPath } from '../server/status-object.ts'
import { askDaemon, type DaemonPlace } from './ask-daemon.ts'
import { paint } from './paint.ts'
import { serviceDetailText, serviceListText } from './services-text.ts'
import { statusText } from './status-text.ts'
import { watch } from './watch.ts'

export const flags: Flags = {
  search: { type: text(), default: '', help: 'What a name, an address or a port contains.', withConfig: 'applies' },
  output: { type: choice('text', 'json'), default: 'text', help: 'text or json.', withConfig: 'applies', letter: 'o' },
  watch: { type: { ...int32(1, 3600), bare: 2 }, default: 0, help: 'Again and again.', withConfig: 'applies', letter: 'w' },
  'metrics-bind-address': runFlags['metrics-bind-address'],
  config: runFlags.config,
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

export const words = ['services']

interface Wishes extends DaemonPlace {
  readonly search?: string
  readonly output?: 'text' | 'json'
  readonly watch?: number
  readonly help?: boolean
}

const usage = `Usage: switchyard status [services [NAME]] [--search TEXT] [--watch[=SECONDS]] [-o json]
                         [--metrics-bind-address HOST:PORT | --config FILE]

Asks the Switchyard that runs on this node how it is: mode, IP families with their last syncs, Services, what is quarantined, and what
drains: which connections go on although nothing new is sent that way, and until when. With 'services' it lists Services; with a NAME (web, or
default/web) it shows one: where it answers, for whom, and which endpoints get how much or nothing, and why. Changes nothing.

  --search TEXT                     only Services of which a name, an address or a port contains it
  -w, --watch[=SECONDS]             again every 2 seconds, or as many as it says; Ctrl-C ends it
  -o, --output FORMAT               text (default) or json: what /switchyard/v1/status and /switchyard/v1/services serve
  --metrics-bind-address HOST:PORT  where it serves its metrics (default ${runFlags['metrics-bind-address'].default})
  --config FILE                     take that address from the KubeProxyConfiguration that it runs with

Exit status: 0 it answers, ready or not; 1 nothing answers, or something else, or there is no such Service; 64 the command line is wrong.

Examples:
  switchyard status
  switchyard status services --search 10.96.0.10
  switchyard status services kube-system/kube-dns
  switchyard status --watch --config /var/lib/kube-proxy/config.conf
  switchyard status -o json | jq '.families[].drains[]'
`

/** A text and the exit status that goes with it. */
export interface Answer {
  readonly text: string
  readonly status: number
}

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<Wishes>(flags, argv)
  if (values.help === true) return print({ text: usage, status: 0 })
  const [topic, name, ...others] = positionals
  const problems = errors.map(formatProblem)
  if (topic !== undefined && topic !== 'services')
    problems.push(`status takes no argument ${JSON.stringify(topic)}, only 'services'`)
  else for (const word of others) problems.push(`status services takes one NAME, not also ${JSON.stringify(word)}`)
  if (topic === undefined && values.search !== undefined) problems.push('--search is for Services: status services --search TEXT')
  if (problems.length > 0) return print({ text: problems.map(asProblem).join(''), status: 64 })
  const ask = (): Promise<Answer> =>
    topic === undefined ? node(values) : name === undefined ? services(values) : service(name, values)
  return values.watch === undefined ? print(await ask()) : watch(ask, values.watch * 1000)
}

async function node(wishes: Wishes): Promise<Answer> {
  const answer = await askDaemon<Status>({ place: wishes, path: statusPath, kind: 'Status' })
  return told(answer, wishes, status => statusText(status, paint))
}

/** As many as the daemon gives at once: more would be read by nobody. */
const mostListed = 2000

async function services(wishes: Wishes): Promise<Answer> {
  const query = new URLSearchParams({ search: wishes.search ?? '', limit: String(mostListed) })
  const answer = await askDaemon<ServiceList>({ place: wishes, path: `${servicesPath}?${query}`, kind: 'ServiceList' })
  return told(answer, wishes, list => serviceListText(list, paint))
}

/** A name without a namespace: the only Service of that name, or a list of them. */
async function service(name: string, wishes: Wishes): Promise<Answer> {
  if (name.includes('/')) return detail(name, wishes)
  const query = new URLSearchParams({ search: `/${name}`, limit: String(mostListed) })
  const answer = await askDaemon<ServiceList>({ place: wishes, path: `${servicesPath}?${query}`, kind: 'ServiceList' })
  if ('problem' in answer) return told(answer, wishes, () => '')
  const found = answer.object.services.filter(({ service: key }) => key.split('/')[1] === name)
  const [only] = found
  if (only === undefined) return detail(`default/${name}`, wishes)
  if (found.length === 1) return detail(only.service, wishes)
  return told({ object: { ...answer.object, total: found.length, services: found } }, wishes, list =>
    serviceListText(list, paint),
  )
}

async function detail(key: string, wishes: Wishes): Promise<Answer> {
  const path = `${servicesPath}?${new URLSearchParams({ service: key })}`
  const answer = await askDaemon<ServiceDetail>({ place: wishes, path, kind: 'ServiceDetail' })
  return told(answer, wishes, found => serviceDetailText(found, paint))
}

function told<T>(
  answer: { readonly object: T } | { readonly problem: string },
  { output }: Wishes,
  inWords: (object: T) => string,
): Answer {
  if ('problem' in answer) return { text: asProblem(answer.problem), status: 1 }
  const { object } = answer
  return { text: output === 'json' ? `${JSON.stringify(object, undefined, 2)}\n` : inWords(object), status: 0 }
}

function asProblem(problem: string): string {
  return `switchyard: ${problem}\n`
}

function print({ text: words, status }: Answer): number {
  ;(status === 0 ? process.stdout : process.stderr).write(words)
  return status
}
