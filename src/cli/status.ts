// `switchyard status`: asks the daemon that runs on this node how it is. Reads only; talks to the metrics port.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { styleText } from 'node:util'
import { bool, choice } from '../config/field-type.ts'
import { parseFlagsOf } from '../config/flag-parser.ts'
import { type Flags, flags as runFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { parseSocketAddress } from '../config/socket-address.ts'
import { hostPort, parseAddress } from '../model/address.ts'
import { askForStatus } from './ask-for-status.ts'
import { statusText } from './status-text.ts'
import type { Paint, Style } from './table.ts'

const flags: Flags = {
  output: { type: choice('text', 'json'), default: 'text', help: 'text or json.', withConfig: 'applies', letter: 'o' },
  'metrics-bind-address': runFlags['metrics-bind-address'],
  config: runFlags.config,
  help: { type: bool, default: false, help: 'Print this and exit.', withConfig: 'applies', letter: 'h' },
}

interface Wishes {
  readonly output?: 'text' | 'json'
  readonly 'metrics-bind-address'?: string
  readonly config?: string
  readonly help?: boolean
}

const usage = `Usage: switchyard status [-o json] [--metrics-bind-address HOST:PORT | --config FILE]

Asks the Switchyard that runs on this node how it is: mode, IP families with their last syncs, Services, what is quarantined, and what
drains: which connections go on although nothing new is sent that way, and until when. Changes nothing.

  -o, --output FORMAT               text (default) or json: the object that /switchyard/v1/status serves
  --metrics-bind-address HOST:PORT  where it serves its metrics (default ${runFlags['metrics-bind-address'].default})
  --config FILE                     take that address from the KubeProxyConfiguration that it runs with

Exit status: 0 it answers, ready or not; 1 nothing answers, or something else; 64 the command line is wrong.

Examples:
  switchyard status
  switchyard status --config /var/lib/kube-proxy/config.conf
  switchyard status -o json | jq '.families[].drains[]'
`

export async function main(argv: readonly string[]): Promise<number> {
  const { values, errors, positionals } = parseFlagsOf<Wishes>(flags, argv)
  if (values.help === true) return print(usage)
  if (errors.length + positionals.length > 0) {
    for (const problem of errors) complain(formatProblem(problem))
    for (const word of positionals) complain(`status takes no argument ${JSON.stringify(word)}`)
    return 64
  }
  const place = placeOf(values)
  if ('problem' in place) return complain(place.problem)
  const answer = await askForStatus(place.at)
  if ('problem' in answer) return complain(answer.problem)
  if (values.output === 'json') return print(`${JSON.stringify(answer.status, undefined, 2)}\n`)
  return print(statusText(answer.status, paint))
}

type Place = { readonly at: string } | { readonly problem: string }

/** The flag's, else the file's, else the default: `127.0.0.1:10249`. */
function placeOf(wishes: Wishes): Place {
  const { config = '', 'metrics-bind-address': given } = wishes
  if (given !== undefined || config === '') return toAsk(given ?? String(runFlags['metrics-bind-address'].default))
  const { errors, effective } = loadConfig({
    flags: { config },
    readFile: path => readFileSync(path, 'utf8'),
    hostname: hostname(),
  })
  return errors[0] === undefined ? toAsk(effective.metricsBindAddress) : { problem: formatProblem(errors[0]) }
}

/** A server on every address answers on loopback. */
function toAsk(bind: string): Place {
  const socket = parseSocketAddress(bind)
  if (socket === undefined) return { problem: 'there is no metrics port to ask: metricsBindAddress is empty' }
  const { address, port } = socket
  const loopback = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : undefined
  return { at: hostPort((loopback === undefined ? undefined : parseAddress(loopback)) ?? address, port) }
}

const styles = { good: 'green', bad: 'red', title: 'bold' } as const satisfies Record<Style, Parameters<typeof styleText>[0]>

/** By itself plain where the output is no terminal, or NO_COLOR is set. */
const paint: Paint = (style, text) => styleText(styles[style], text, { stream: process.stdout })

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function complain(problem: string): number {
  process.stderr.write(`switchyard: ${problem}\n`)
  return 1
}
