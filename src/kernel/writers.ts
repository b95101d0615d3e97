// Two programs that write the same chains undo each other's work without end. So one Switchyard per network namespace, and a
// living kube-proxy is named.

import { readdir, readFile, readlink } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * An abstract Unix socket belongs to the network namespace, just as the rules do: it is the same one for every container on the
 * host network, and the kernel takes it away with the process. A lock file would need a shared mount and can be stale.
 */
const lockName = '\0switchyard/writer'

export interface Claim {
  release(): Promise<void>
}

/** Gives the claim, or who holds it: the words that the other process says of itself. */
export async function claimNode(self: string): Promise<Claim | { readonly heldBy: string }> {
  const asking = new Set<Socket>()
  const server = createServer(socket => {
    asking.add(socket)
    socket.on('close', () => asking.delete(socket))
    // Who asks may go before the answer; that is no concern of ours.
    socket.on('error', () => socket.destroy())
    socket.end(self)
  })
  const failure = await new Promise<NodeJS.ErrnoException | undefined>(resolve => {
    server.on('error', resolve)
    server.listen({ path: lockName }, () => resolve(undefined))
  })
  if (failure === undefined) {
    server.unref()
    return { release: () => close(server, asking) }
  }
  if (failure.code === 'EADDRINUSE') return { heldBy: await askHolder() }
  throw failure
}

/** Who holds the claim, in its own words; undefined where nobody does. Claims nothing. */
export async function findWriter(): Promise<string | undefined> {
  const isHeld = await new Promise<boolean>(resolve => {
    const socket = connect({ path: lockName }, () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
  })
  return isHeld ? askHolder() : undefined
}

function close(server: Server, asking: ReadonlySet<Socket>): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    for (const socket of asking) socket.destroy()
  })
}

function askHolder(): Promise<string> {
  return new Promise(resolve => {
    let answer = ''
    const socket = connect({ path: lockName, timeout: 1000 })
    const done = (): void => resolve(answer === '' ? 'another switchyard (it does not say which)' : answer)
    socket.on('data', chunk => {
      answer += chunk.toString('utf8')
    })
    socket.on('error', done)
    socket.on('close', done)
    socket.on('timeout', () => socket.destroy())
  })
}

/**
 * A kube-proxy of this network namespace: a process of that name (where we see the host's processes), or one that answers on one
 * of kube-proxy's ports. Undefined where there is none.
 */
export async function findKubeProxy(options: {
  readonly proc: string
  readonly metricsPort: number
  readonly healthPort?: number
}): Promise<string | undefined> {
  const { proc, metricsPort, healthPort } = options
  const process = await kubeProxyProcess(proc)
  if (process !== undefined) return process
  return (await kubeProxyMetrics(metricsPort)) ?? (healthPort === undefined ? undefined : kubeProxyHealth(healthPort))
}

async function kubeProxyProcess(proc: string): Promise<string | undefined> {
  const own = await readlink(`${proc}/self/ns/net`).catch(() => undefined)
  for (const pid of (await readdir(proc)).filter(name => /^\d+$/.test(name))) {
    const name = await readFile(`${proc}/${pid}/comm`, 'utf8').catch(() => '')
    if (name.trim() !== 'kube-proxy') continue
    const namespace = await readlink(`${proc}/${pid}/ns/net`).catch(() => undefined)
    if (namespace === own) return `kube-proxy (process ${pid})`
  }
  return undefined
}

async function kubeProxyMetrics(port: number): Promise<string | undefined> {
  const { ok, body } = await askOther(`http://127.0.0.1:${port}/proxyMode`)
  const mode = body.trim()
  return ok && /^(iptables|ipvs|nftables)$/.test(mode) ? `kube-proxy (answers on 127.0.0.1:${port}, mode ${mode})` : undefined
}

/** Its body has a field that no other program's has. */
async function kubeProxyHealth(port: number): Promise<string | undefined> {
  const { body } = await askOther(`http://127.0.0.1:${port}/healthz`)
  return body.includes('"nodeEligible"') ? `kube-proxy (answers on 127.0.0.1:${port})` : undefined
}

/** The body of an answer; empty where there is none, or where it is our own server's, which says who it is. */
async function askOther(url: string): Promise<{ readonly ok: boolean; readonly body: string }> {
  const none = { ok: false, body: '' }
  try {
    const answer = await answerTo(url)
    if (answer.headers.server === 'switchyard') return none
    let body = ''
    for await (const chunk of answer.setEncoding('utf8')) body += chunk
    return { ok: answer.statusCode === 200, body }
  } catch {
    return none
  }
}

/** Not by `fetch`, which would stay in memory (10 MB) for this alone. */
function answerTo(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false, signal: AbortSignal.timeout(1000) }, resolve).on('error', reject)
  })
}
