// What somebody does to the kernel in several steps, all of it between two looks of the daemon: it stands still meanwhile.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import type { Switchyard } from './switchyard.ts'

export async function whileStopped(switchyard: Switchyard, act: () => Promise<unknown>): Promise<void> {
  const { pid } = switchyard.daemon
  assert.ok(pid !== undefined)
  process.kill(pid, 'SIGSTOP')
  try {
    // A read that is under way would see half of it.
    await switchyard.waitFor(async () => ((await livingChildren(pid)) === 0 ? true : undefined), 'the tools of the daemon to end')
    await act()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

/** Programs that it has started to ask or feed the kernel: not the one that tells of addresses for as long as it lives, nor one that has ended. */
async function livingChildren(parent: number): Promise<number> {
  const numbers = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const read = (number: string, file: string): Promise<string> => readFile(`/proc/${number}/${file}`, 'utf8').catch(() => '')
  const living = await Promise.all(
    numbers.map(async number => {
      const stat = await read(number, 'stat')
      const [state, of] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return Number(of) === parent && state !== 'Z' && !(await read(number, 'cmdline')).includes('monitor')
    }),
  )
  return living.filter(Boolean).length
}
