// Who may see the page and what is below /switchyard/: a request → why not. Pure. kube-proxy's own paths on the same port stay open to all, as there.
//
// Three doors: from where it comes (page.bind); by which name it was called, since a page of others whose name suddenly leads to this address could
// read all of it (DNS rebinding); and which page asks, since a page of others may send requests although it cannot read the answers.
import { isIP } from 'node:net'
import type { Config } from '../config/config.ts'
import { type Handler, type HttpResponse, type RequestOrigin, textResponse } from './http.ts'

export interface PageDoors {
  readonly bind: Config['pageBind']
  /** Lower case, beside addresses, `localhost` and the node's name. */
  readonly hosts: readonly string[]
  readonly node: string
}

/** No answer below these paths is for anything but a page that we serve, or a program. */
const headers = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}

/** @param doors read anew for each request. */
export function guarded(handler: Handler, doors: () => PageDoors): Handler {
  return async request => {
    const { path, from } = request
    if (path !== '/' && !path.startsWith('/switchyard/')) return handler(request)
    const answered = refusal(path, from, doors()) ?? (await handler(request))
    return { ...answered, headers: { ...headers, ...answered.headers } }
  }
}

/** What is not known of a request counts against it. */
function refusal(path: string, from: RequestOrigin | undefined, { bind, hosts, node }: PageDoors): HttpResponse | undefined {
  if (!mayCome(from, bind)) {
    return textResponse(403, `${path} is only for who is on this node; \`page.bind\` in switchyard.conf opens it\n`)
  }
  const name = hostName(from?.host)
  if (name === undefined || !(isIP(name) !== 0 || ['localhost', node.toLowerCase(), ...hosts].includes(name))) {
    const said = name === undefined ? 'a request without a Host' : `the host name ${JSON.stringify(name.slice(0, 253))}`
    const advice = `use an address, localhost or ${node}, or list the name as \`page.hosts\` in switchyard.conf`
    return textResponse(421, `${said} is not answered here; ${advice}\n`)
  }
  if (isForeign(path, from)) return textResponse(403, 'this is not for pages of other origins\n')
  return undefined
}

/** From this node itself, to whatever address of its own; and to where `page.bind` opens it. */
function mayCome(from: RequestOrigin | undefined, bind: Config['pageBind']): boolean {
  if (bind === 'any') return true
  const { localAddress: local, remoteAddress: remote } = from ?? {}
  if (local === undefined || remote === undefined) return false
  return local === remote || (isLoopback(local) && isLoopback(remote)) || local === bind
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** Lower case, without port and brackets; undefined where it is no host. */
function hostName(host: string | undefined): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::\d*)?$/.exec(host ?? '') ?? []
  return (bracketed ?? plain)?.toLowerCase()
}

/** A link on a page of others may lead to the page; nothing else of theirs leads here. Programs send neither header. */
function isForeign(path: string, from: RequestOrigin | undefined): boolean {
  const { origin, fetchSite, host } = from ?? {}
  if (origin !== undefined && origin !== `http://${host}`) return true
  return path !== '/' && fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none'
}
