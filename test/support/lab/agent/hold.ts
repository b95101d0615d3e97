// A connection that stays open and can be asked, again and again, who is at its other end.
import { connect } from 'node:net'
import { exchange } from './connect.ts'
import type { Outcome, Target } from './protocol.ts'

export interface Held {
  ping(timeoutMs: number): Promise<Outcome>
  release(): void
  reset(): void
}

/** Opens the connection and proves it with one exchange. Throws where that fails: there is nothing to hold then. */
export async function hold({ address, port, from, timeoutMs }: Target): Promise<Held> {
  const socket = connect({ host: address, port, ...(from === undefined ? {} : { localAddress: from }) })
  const held: Held = {
    ping: timeout => exchange(socket, { text: 'still there?\n', timeoutMs: timeout }),
    release: () => socket.destroy(),
    reset: () => socket.resetAndDestroy(),
  }
  const first = await held.ping(timeoutMs)
  if (first.ok) return held
  socket.destroy()
  throw new Error(`${address}:${port} cannot be held: ${first.reason} (${first.detail})`)
}
