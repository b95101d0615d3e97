// An API server for tests: speaks list and watch as a real one does, and misbehaves when told to. Takes objects; gives a URL
// and a kubeconfig. Everything of it ends with `close`.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { readCertificate } from './certificates.ts'
import { createFaultBook, type Fault } from './faults.ts'
import { createServerFolder } from './folder.ts'
import { createHistory } from './history.ts'
import { createPages } from './list.ts'
import type { RecordedRequest } from './requests.ts'
import { type ApiObject, resourceNamed } from './resources.ts'
import { createServing } from './serving.ts'
import { tooOld } from './status.ts'

export type { Fault } from './faults.ts'
export type { RecordedRequest } from './requests.ts'
export type { ApiObject } from './resources.ts'

export interface ApiServerOptions {
  readonly objects?: readonly ApiObject[]
  /** HTTPS with an authority and certificates of its own. Default true. */
  readonly tls?: boolean
  /** Bearer tokens that are accepted; the first one is in the kubeconfig. Without any, anybody is. */
  readonly tokens?: readonly string[]
  /** The kubeconfig has a client certificate, and only such are accepted. */
  readonly clientCertificate?: boolean
  /** Milliseconds between bookmarks. Default 60,000, as a real server. */
  readonly bookmarkEveryMs?: number
  /** How many changes are remembered. Default 10,000. */
  readonly historyLimit?: number
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Default: a free one. */
  readonly port?: number
}

export interface ApiServer {
  /** `https://127.0.0.1:12345`. */
  readonly url: string
  /** The path of a kubeconfig for it. */
  readonly kubeconfig: string
  /** The folder of the kubeconfig: `ca.crt`, `token`, `switchyard.crt`, `switchyard.key`. */
  readonly folder: string
  /** Creates or replaces an object; gives it as it is stored. */
  put(object: ApiObject): ApiObject
  /** Deletes an object, if it is there. */
  remove(object: ApiObject): void
  /** What there is of a resource, by its plural name, sorted by namespace and name. */
  list(plural: string): readonly ApiObject[]
  /** Misbehaves; the result ends it, where there is something to end. */
  fault(fault: Fault): Promise<() => void>
  /** Ends all standing faults. */
  mend(): void
  /** All requests so far. */
  readonly requests: readonly RecordedRequest[]
  /** Bytes that were sent to watches of a resource and not yet read. */
  unread(plural: string): number
  /** How many watches of a resource are open. */
  watches(plural: string): number
  close(): Promise<void>
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const { tls = true, bookmarkEveryMs = 60_000, host = '127.0.0.1', clientCertificate = false } = options
  const history = createHistory(options.historyLimit ?? 10_000)
  const faults = createFaultBook()
  const pages = createPages()
  let tokens = options.tokens ?? []
  let goneAsStatus = false
  const sockets = new Set<Socket>()
  const user = clientCertificate ? 'certificate' : tokens[0] === undefined ? 'nobody' : 'token'
  const folder = await createServerFolder({ tls, user })
  const serving = createServing({ history, faults, pages, bookmarkEveryMs, goneAsStatus: () => goneAsStatus, isKnown })
  if (tokens[0] !== undefined) await folder.writeToken(tokens[0])
  for (const object of options.objects ?? []) history.put(object)
  let server = await listen(options.port ?? 0)
  const { port } = server.address() as AddressInfo
  const url = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  await folder.writeKubeconfig(url)

  return {
    url,
    kubeconfig: folder.kubeconfig,
    folder: folder.path,
    put: object => history.put(object),
    remove(object) {
      history.remove(object)
    },
    list: plural => history.list(resourceNamed(plural)),
    fault: startFault,
    mend: () => faults.clear(),
    requests: serving.requests,
    unread: plural => serving.watchers({ resource: plural }).reduce((sum, watcher) => sum + watcher.unread(), 0),
    watches: plural => serving.watchers({ resource: plural }).length,
    async close() {
      await stopListening()
      await folder.remove()
    },
  }

  function isKnown({ headers: { authorization = '' }, socket }: IncomingMessage): boolean {
    if (user === 'certificate') return (socket as TLSSocket).authorized
    return user === 'nobody' || tokens.includes(authorization.replace(/^Bearer /, ''))
  }

  async function listen(onPort: number): Promise<Server> {
    const handler = (request: IncomingMessage, response: ServerResponse) => {
      serving.handle(request, response).catch((error: unknown) => response.destroy(error as Error))
    }
    const created = tls ? createTlsServer(await tlsOptions(), handler) : createServer(handler)
    created.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      created.once('error', reject)
      created.listen(onPort, host, resolve)
    })
    return created
  }

  async function tlsOptions() {
    const certificate = folder.certificate()
    if (certificate === undefined) throw new TypeError('the folder of a TLS server has a certificate')
    const ca = await Promise.all(folder.authorities().map(path => readFile(path)))
    return { ...(await readCertificate(certificate)), ca, requestCert: true, rejectUnauthorized: false }
  }

  /** All of them: closeAllConnections() does not know those that are still shaking hands, and close() would wait for them. */
  function cutConnections(): void {
    for (const socket of sockets) socket.destroy()
  }

  async function stopListening(): Promise<void> {
    const closed = new Promise<void>(resolve => {
      server.close(() => resolve())
    })
    cutConnections()
    await closed
  }

  async function restart(meanwhile: () => Promise<void>): Promise<void> {
    await stopListening()
    await meanwhile()
    server = await listen(port)
  }

  async function startFault(fault: Fault): Promise<() => void> {
    switch (fault.fault) {
      case 'half-open':
        for (const watcher of serving.watchers(fault)) watcher.silence()
        return nothing
      case 'close watches':
        for (const watcher of serving.watchers(fault)) watcher.end()
        return nothing
      case 'gone':
        beGone(fault.as)
        return nothing
      case 'restart':
        await restart(() => resumeHistory(fault))
        return nothing
      case 'rotate certificate':
        await restart(() => folder.rotateCertificate(fault.authority))
        return nothing
      case 'expire token':
        tokens = [randomBytes(16).toString('hex')]
        await folder.writeToken(tokens.join())
        cutConnections()
        return nothing
      default:
        return faults.add(fault)
    }
  }

  function beGone(as: 'event' | 'status'): void {
    goneAsStatus = as === 'status'
    history.compact()
    pages.forget()
    const { status } = tooOld(history.oldest() - 1, history.oldest())
    for (const watcher of serving.watchers({})) {
      if (as === 'status') {
        watcher.destroy()
      } else {
        watcher.send(JSON.stringify({ type: 'ERROR', object: status }))
        watcher.end()
      }
    }
  }

  async function resumeHistory({
    history: which,
    changes = 1,
    downMilliseconds = 0,
  }: Fault & { readonly fault: 'restart' }): Promise<void> {
    if (which === 'forgotten') history.compact()
    if (which === 'restored') history.restore(changes)
    pages.forget()
    await new Promise(resolve => setTimeout(resolve, downMilliseconds))
  }
}

function nothing(): void {
  // This fault is over as soon as it happened.
}
