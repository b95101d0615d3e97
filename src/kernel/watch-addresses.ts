// Tells when an address comes to an interface or goes from one, by `ip monitor`. What is on `except` (the link that carries service addresses) is our
// own work and told by nobody.
import { setTimeout as sleep } from 'node:timers/promises'
import { watchLines } from './exec.ts'

/** Milliseconds: several addresses come and go at once. */
const quietMs = 100
const retryMs = 30_000

/** Ends with the signal; never rejects. While `ip` cannot tell, whoever asks now and then finds out later. */
export async function watchAddresses(options: {
  readonly except: string
  readonly onChange: () => void
  readonly onFailure: (error: unknown) => void
  readonly signal: AbortSignal
}): Promise<void> {
  const { except, onChange, onFailure, signal } = options
  let timer: NodeJS.Timeout | undefined
  const onLine = (line: string): void => {
    if (!isAbout(line) || linkOf(line) === except || timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      onChange()
    }, quietMs)
  }
  while (!signal.aborted) {
    await watchLines(['ip', '-o', 'monitor', 'address'], { onLine, signal }).catch(onFailure)
    await sleep(retryMs, undefined, { signal }).catch(() => undefined)
  }
  clearTimeout(timer)
}

// 2: eth0    inet 10.200.1.9/24 scope global eth0\       valid_lft forever preferred_lft forever
// Deleted 2: eth0    inet 10.200.1.9/24 scope global eth0\       valid_lft forever preferred_lft forever
function isAbout(line: string): boolean {
  return / inet6? /.test(line)
}

function linkOf(line: string): string | undefined {
  return /^(?:Deleted )?\d+: (\S+)/.exec(line)?.[1]
}
