// GET ...?watch=true: changes as they happen, after what the request asks for first. Follows "Efficient detection of changes"
// and "Streaming lists" of the Kubernetes API concepts, and what a 1.36 server does where they are silent.
import type { ServerResponse } from 'node:http'
import type { FaultBook } from './faults.ts'
import type { Change, History } from './history.ts'
import type { ParsedRequest } from './requests.ts'
import { type ApiObject, apiVersionOf, type ServedResource } from './resources.ts'
import { type Matches, Refused } from './selectors.ts'
import { badRequest, invalidOptions, tooLargeVersion, tooOld } from './status.ts'
import { createWatcher, type Watcher } from './watcher.ts'

export interface WatchOptions {
  readonly request: ParsedRequest
  readonly response: ServerResponse
  readonly history: History
  readonly faults: FaultBook
  readonly matches: Matches
  readonly bookmarkEveryMs: number
  /** Whether a version that is too old is refused by status instead of by an event. */
  readonly goneAsStatus: boolean
}

/** Where a watch begins. */
type Start =
  /** Everything, then the end bookmark. */
  | { readonly from: 'streamed list' }
  /** Everything as ADDED, without a mark at its end: what servers do where no version is given. */
  | { readonly from: 'everything' }
  | { readonly from: 'version'; readonly after: number }

/** Answers and keeps sending until the client goes away, the time is over or a fault ends it. Throws Refused instead of answering. */
export function serveWatch(options: WatchOptions): Watcher {
  const { request, response, history, faults } = options
  const start = startOf(options)
  response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' })
  response.flushHeaders()
  const watcher = createWatcher(request.resource.plural, response, faults)
  if (faults.endsWatchAtOnce()) {
    watcher.end()
    return watcher
  }
  if (start.from === 'version' && start.after < history.oldest()) {
    watcher.send(line('ERROR', tooOld(start.after, history.oldest()).status))
    watcher.end()
    return watcher
  }
  sendBeginning(start, watcher, options)
  sendChanges(start, watcher, options)
  return watcher
}

function startOf({ request: { query }, history, faults, goneAsStatus }: WatchOptions): Start {
  const wanted = query.get('resourceVersion') ?? ''
  if (wanted !== '' && !/^\d+$/.test(wanted)) throw new Refused(badRequest(`invalid resource version: ${wanted}`))
  const version = Number(wanted)
  if (query.get('sendInitialEvents') === 'true' && faults.watchList() === 'served') {
    if (query.get('resourceVersionMatch') !== 'NotOlderThan') {
      throw new Refused(
        invalidOptions(
          'resourceVersionMatch',
          'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
        ),
      )
    }
    if (version > history.version()) throw new Refused(tooLargeVersion(version, history.version()))
    return { from: 'streamed list' }
  }
  if (version === 0) return { from: 'everything' }
  if (goneAsStatus && version < history.oldest()) throw new Refused(tooOld(version, history.oldest()))
  return { from: 'version', after: version }
}

function sendBeginning(start: Start, watcher: Watcher, { request, history, matches }: WatchOptions): void {
  const { resource, query } = request
  if (start.from === 'version') {
    for (const change of history.since(start.after, resource)) {
      const text = eventFor(change, matches)
      if (text !== undefined) watcher.send(text)
    }
    return
  }
  for (const object of history.list(resource)) {
    if (matches(object)) watcher.send(line('ADDED', object))
  }
  if (start.from === 'streamed list' && query.get('allowWatchBookmarks') === 'true') {
    watcher.send(bookmark(resource, history.version(), { 'k8s.io/initial-events-end': 'true' }))
  }
}

function sendChanges(start: Start, watcher: Watcher, options: WatchOptions): void {
  const { request, response, history, matches, bookmarkEveryMs } = options
  const { resource, query } = request
  // Changes up to the version that was asked for are old news, also where the server has not come that far yet.
  const after = start.from === 'version' ? start.after : 0
  const stopListening = history.listen(change => {
    if (change.resource !== resource || change.version <= after) return
    const text = eventFor(change, matches)
    if (text !== undefined) watcher.send(text)
  })
  const bookmarks = setInterval(() => {
    const version = history.version()
    if (query.get('allowWatchBookmarks') === 'true' && version >= after) watcher.send(bookmark(resource, version))
  }, bookmarkEveryMs)
  const timeoutSeconds = Number(query.get('timeoutSeconds') ?? 0)
  const timeout = setTimeout(() => watcher.end(), (timeoutSeconds > 0 ? timeoutSeconds : 1800) * 1000)
  response.on('close', () => {
    stopListening()
    clearInterval(bookmarks)
    clearTimeout(timeout)
  })
}

/** What a change is to someone who sees only objects that match: an object that stops matching is deleted for him. */
function eventFor({ version, before, after }: Change, matches: Matches): string | undefined {
  const was = before !== undefined && matches(before)
  const is = after !== undefined && matches(after)
  if (is) return line(was ? 'MODIFIED' : 'ADDED', after)
  if (!was) return undefined
  // The object as it was last seen, with the version of its end.
  return line('DELETED', { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } })
}

// The same event goes to several watches; it is made into text once.
const texts = new WeakMap<ApiObject, { readonly type: string; readonly text: string }>()

function line(type: string, object: object): string {
  const known = texts.get(object as ApiObject)
  if (known?.type === type) return known.text
  const text = JSON.stringify({ type, object })
  texts.set(object as ApiObject, { type, text })
  return text
}

function bookmark(resource: ServedResource, version: number, annotations?: Readonly<Record<string, string>>): string {
  const metadata = {
    resourceVersion: String(version),
    creationTimestamp: null,
    ...(annotations === undefined ? {} : { annotations }),
  }
  return line('BOOKMARK', { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata })
}
