// The sending end of one open watch. Takes events as text, one a line; sends them in order, late, broken or not at all as
// the faults say. A client that does not read is dropped, as a real server drops it.
import type { ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { FaultBook } from './faults.ts'

export interface Watcher {
  readonly resource: string
  /** An event or bookmark, as JSON without its newline. */
  send(line: string): void
  /** A proper end. */
  end(): void
  /** A broken one. */
  destroy(): void
  /** Sends nothing any more and stays open. */
  silence(): void
  /** Bytes that the client has not read yet. */
  unread(): number
}

const mostUnread = 64 * 1024 * 1024

export function createWatcher(resource: string, response: ServerResponse, faults: FaultBook): Watcher {
  let silent = false
  let late: Promise<void> | undefined

  return {
    resource,
    send(line) {
      const delayMs = faults.delayMs()
      if (delayMs === 0 && late === undefined) write(line)
      else queue(() => write(line), delayMs)
    },
    end() {
      if (late === undefined) finish()
      else queue(finish, 0)
    },
    destroy: () => response.destroy(),
    silence() {
      silent = true
    },
    unread: () => response.writableLength,
  }

  function queue(action: () => void, delayMs: number): void {
    const turn = (late ?? Promise.resolve()).then(() => pause(delayMs)).then(action)
    late = turn.then(() => {
      if (late === turn) late = undefined
    })
  }

  function finish(): void {
    if (!silent) response.end()
  }

  function write(line: string): void {
    if (silent || response.destroyed || response.writableEnded) return
    if (response.writableLength > mostUnread) {
      response.end()
      return
    }
    switch (faults.eventFault(resource)) {
      case 'reset mid-line':
        response.write(line.slice(0, line.length / 2), () => reset(response))
        silent = true
        return
      case 'malformed':
        response.write(`${line.slice(0, line.length / 2)}\n`)
        return
      default:
        response.write(`${line}\n`)
    }
  }
}

/** A TLS connection cannot be reset by RST from here; it is cut without a goodbye. */
function reset({ socket }: ServerResponse): void {
  if (socket instanceof TLSSocket) socket.destroy()
  else socket?.resetAndDestroy()
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, milliseconds)
  })
}
