// The machine as far as it explains a figure, and how busy it is with other things. No names: whose it is matters to nobody.
import { readFile } from 'node:fs/promises'
import { availableParallelism, release, totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { createExec } from '../src/kernel/exec.ts'

export interface Machine {
  readonly cores: number
  readonly memoryGB: number
  /** `6.18`. */
  readonly kernel: string
  /** `iptables v1.8.9`. */
  readonly iptables: string
  readonly node: string
}

export async function describeMachine(): Promise<Machine> {
  const { stdout } = await createExec()({ argv: ['iptables-nft', '--version'] })
  return {
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 2 ** 30),
    kernel: release().split('.').slice(0, 2).join('.'),
    iptables: stdout.trim().replace(/ \(.*/, ''),
    node: process.version,
  }
}

/** How many cores were busy in a second in which we did nothing. */
export async function busyCores(): Promise<number> {
  const before = await ticks()
  await delay(1000)
  const after = await ticks()
  const total = after.total - before.total
  return total === 0 ? 0 : Number((((after.busy - before.busy) / total) * availableParallelism()).toFixed(2))
}

async function ticks(): Promise<{ readonly busy: number; readonly total: number }> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n')
  const values = first.split(/\s+/).slice(1, 9).map(Number)
  const total = values.reduce((sum, value) => sum + value, 0)
  // idle and iowait
  return { busy: total - (values[3] ?? 0) - (values[4] ?? 0), total }
}
