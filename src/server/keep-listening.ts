// One server that is to listen for as long as the process lives: where its address is taken, that is said once and tried again
// until it is free.
import type { SocketAddress } from '../config/socket-address.ts'
import { hostPort } from '../model/address.ts'
import type { ObserverLog } from '../sync/subscribe.ts'
import { type Handler, type ListenAddress, type OpenServer, openServer } from './http.ts'

export interface KeepListeningOptions {
  /** `health server`. */
  readonly name: string
  readonly bind: SocketAddress
  readonly handler: Handler
  /** bindAddressHardFail: the first failure is told to `onFailure` and nothing is tried again. */
  readonly hardFail: boolean
  /** Told once, at the first attempt that failed. */
  readonly onFailure: (error: Error) => void
  readonly log: ObserverLog
  /** Milliseconds until the attempt after so many failures. */
  readonly retryAfterMs?: (failures: number) => number
}

export interface ListeningServer {
  /** Undefined while it does not listen. */
  readonly port: number | undefined
  close(): Promise<void>
}

/** 1 s, 2 s, 4 s, then every 5 s, as often as kube-proxy tries. */
const patience = (failures: number): number => Math.min(5000, 1000 * 2 ** (failures - 1))

export function keepListening(options: KeepListeningOptions): ListeningServer {
  const { name, bind, handler, hardFail, onFailure, log, retryAfterMs = patience } = options
  const at = hostPort(bind.address, bind.port)
  let open: OpenServer | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let attempt = tryOnce()

  return {
    get port() {
      return open?.port
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await attempt
      await open?.close()
      open = undefined
    },
  }

  async function tryOnce(): Promise<void> {
    try {
      open = await openServer({ at: listenAddress(bind), handler, onError: complain })
      log.info(failures === 0 ? `${name}: listening on ${at}` : `${name}: listening on ${at} at last`)
    } catch (error) {
      failures += 1
      if (failures === 1) tell(error)
      if (!closed && !hardFail) retryLater()
    }
  }

  function retryLater(): void {
    timer = setTimeout(() => {
      attempt = tryOnce()
    }, retryAfterMs(failures))
  }

  function tell(error: unknown): void {
    const next = hardFail ? 'the process ends (bindAddressHardFail)' : 'tried again every few seconds; all else goes on'
    const failure = new Error(`${name}: cannot listen on ${at}: ${reasonOf(error, bind.port)}; ${next}`, { cause: error })
    if (!hardFail) log.error(failure.message)
    onFailure(failure)
  }

  function complain(error: unknown): void {
    log.error(`${name}: ${error instanceof Error ? error.message : error}`)
  }
}

/** What a bind error means, and how to find out more. */
export function reasonOf(error: unknown, port: number): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'EADDRINUSE':
      return `another program has the port; \`ss -ltnp sport = :${port}\` shows which`
    case 'EADDRNOTAVAIL':
      return 'this node does not have the address; `ip address` shows those that it has'
    case 'EACCES':
      return 'not permitted; ports below 1024 need CAP_NET_BIND_SERVICE'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

/** Go, and so kube-proxy, takes both 0.0.0.0 and :: for every address of both families. */
function listenAddress({ address, port }: SocketAddress): ListenAddress {
  return { host: address === '0.0.0.0' || address === '::' ? undefined : address, port }
}
