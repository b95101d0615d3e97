// SCTP from an agent: sctp.pl beside this file has the sockets that Node lacks. Needs a kernel with SCTP, and Debian's perl-base.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { reasonOfCode } from './failure-reason.ts'
import { type Answered, type Failed, type Outcome, parseGreeting, type Target } from './protocol.ts'

type Timed = Pick<Outcome, 'startedAt' | 'endedAt'>

const program = new URL('sctp.pl', import.meta.url).pathname

/** Listens in both families. Goes on for as long as its namespace is there. Throws with the program's own words where it cannot. */
export async function serveSctp(name: string, port: number): Promise<void> {
  const child = spawn('perl', [program, 'serve', name, String(port)], { stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', chunk => {
    errors += String(chunk)
  })
  const ended = once(child, 'close').then(() => Promise.reject(new Error(`no server on SCTP port ${port}: ${errors.trim()}`)))
  await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => {}) // at the end of the namespace
}

/** One connection after the other. Their times are those at which their ends were heard of. */
export async function connectOverSctp(
  { address, port, from = '', timeoutMs }: Target,
  count: number,
): Promise<readonly Outcome[]> {
  const words = [count, timeoutMs / 1000, from, address, port].map(String)
  const child = spawn('perl', [program, 'connect', ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  const outcomes: Outcome[] = []
  let startedAt = Date.now()
  for await (const line of createInterface({ input: child.stdout })) {
    const endedAt = Date.now()
    outcomes.push(decode(line, { startedAt, endedAt }))
    startedAt = endedAt
  }
  if (outcomes.length < count) throw new Error(`sctp.pl ended after ${outcomes.length} of ${count} connections`)
  return outcomes
}

export async function connectOnceOverSctp(target: Target): Promise<Outcome> {
  const [outcome] = await connectOverSctp(target, 1)
  if (outcome === undefined) throw new Error('sctp.pl said nothing')
  return outcome
}

function decode(line: string, timed: Timed): Answered | Failed {
  const [fate, localAddress = '', localPort, ...rest] = line.split('\t')
  const common = { localAddress, localPort: Number(localPort), ...timed }
  const [first = '', detail = ''] = rest
  if (fate === 'failed') return { ok: false, reason: reasonOfCode(first), detail, ...common }
  const greeting = parseGreeting(`${first}\n`)
  return greeting === undefined
    ? { ok: false, reason: 'other', detail: `answer ${first}`, ...common }
    : { ok: true, ...greeting, ...common }
}
