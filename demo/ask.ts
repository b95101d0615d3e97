// What the stations of the demo are made of: requests from somewhere in the laboratory, commands on the node, and what is promised of their answers.
import type { Outcome } from '../test/support/lab/agent/protocol.ts'
import type { Daemon } from '../test/support/lab/daemon.ts'
import type { Lab } from '../test/support/lab/lab.ts'
import { bars, command, good, output } from './screen.ts'

export interface Tour {
  readonly lab: Lab
  readonly daemon: Daemon
  readonly manifests: string
  readonly mode: 'iptables' | 'ipvs'
}

/** Requests one after the other; shows and gives how often each pod answered. */
export async function ask(
  tour: Tour,
  request: { from: string; url: string; count: number },
): Promise<ReadonlyMap<string, number>> {
  const { from, url, count } = request
  const { hostname, port } = new URL(url)
  command(`for i in $(seq ${count}); do curl ${url}; done            # in ${from}`)
  const outcomes = await connect(tour.lab, { from, address: hostname, port: port === '' ? 80 : Number(port), count })
  const failed = outcomes.find(outcome => !outcome.ok)
  if (failed !== undefined) throw new Error(`a request failed: ${JSON.stringify(failed)}`)
  const answers = new Map<string, number>()
  for (const outcome of outcomes) if (outcome.ok) answers.set(outcome.name, (answers.get(outcome.name) ?? 0) + 1)
  bars(answers)
  return answers
}

export function connect(
  lab: Lab,
  { from, ...target }: { from: string; address: string; port: number; count: number },
): Promise<readonly Outcome[]> {
  return lab.agent(from).ask('connect', { protocol: 'TCP', timeoutMs: 3000, parallel: 1, ...target })
}

/** Runs a pipeline of the shell on the node, shows it with all that it prints, and gives that. */
export async function look({ lab }: Tour, pipeline: string): Promise<string> {
  command(`${pipeline}            # in node1`)
  const { stdout } = await lab.run('node1', ['sh', '-c', pipeline])
  output(stdout.replaceAll(/ +$/gm, ''))
  return stdout
}

export function expect(holds: boolean, promise: string, otherwise: string): void {
  if (!holds) throw new Error(`expected: ${promise}; but ${otherwise}`)
  good(promise)
}
