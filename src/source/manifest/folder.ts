// A folder of manifests as a source: reads all its files, then follows edits, new files, deletions and replaced folders.
// Invariants: one reading at a time; nothing is given up because a file or the folder is unreadable for a moment or for
// good; an update goes out only where objects really changed; each problem is said once.
import type { ReportProblem, Source, SourceProblem, SourceUpdate, Unread } from '../source.ts'
import { type Catalog, emptyCatalog, updateCatalog } from './catalog.ts'
import { createProblemLog } from './problem-log.ts'
import { pause as pauseByClock } from './pulse.ts'
import { createFolderReader, type FolderReader, type FolderReading, type ManifestFiles } from './reader.ts'
import { needsSecondLook, sameReading } from './settle.ts'
import { createFolderWatch, type OpenWatch, openInotify, type WatchTiming } from './watch.ts'

export interface ManifestFolderOptions {
  readonly folder: string
  readonly report: ReportProblem
  readonly timing?: Partial<FolderTiming>
  /** How to learn of changes; inotify unless told. */
  readonly openWatch?: OpenWatch
  /** How to wait between two looks; the clock unless told. Resolves early when the signal aborts. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

export interface FolderTiming extends WatchTiming {
  /** How long a file must stay as it is before its objects are believed to be gone or broken. */
  readonly secondLookMs: number
  /** After so many looks at files that do not come to rest, the last one counts. */
  readonly mostLooks: number
}

const defaultTiming: FolderTiming = {
  quietMs: 50,
  mostQuietMs: 500,
  rescanMs: 10_000,
  blindRescanMs: 1000,
  secondLookMs: 50,
  mostLooks: 10,
}

/** Throws from `updates` where the folder cannot be read at the start; later that is a problem which may pass. */
export function manifestFolder({
  folder,
  report,
  timing,
  openWatch = openInotify,
  pause = pauseByClock,
}: ManifestFolderOptions): Source {
  let started = false
  let unread: readonly Unread[] = []
  return {
    description: `manifests in ${folder}`,
    updates(signal) {
      if (started) throw new Error(`the manifests in ${folder} are followed already; make a second source to follow them twice`)
      started = true
      const take = (found: readonly Unread[]): void => {
        unread = found
      }
      return follow({ folder, report, openWatch, pause, timing: { ...defaultTiming, ...timing }, onUnread: take }, signal)
    },
    unread: () => unread,
  }
}

async function* follow(
  options: Required<ManifestFolderOptions> & {
    readonly timing: FolderTiming
    readonly onUnread: (found: readonly Unread[]) => void
  },
  signal: AbortSignal,
): AsyncGenerator<SourceUpdate> {
  const { folder, timing, pause } = options
  const reader = createFolderReader(folder)
  const log = createProblemLog(options.report)
  const watch = createFolderWatch({ folder, timing, open: options.openWatch })
  let state = initialState
  try {
    while (!signal.aborted) {
      const watchProblem = await watch.renew()
      const reading = await readAtRest({ reader, believed: state.files, timing, pause, signal })
      if (signal.aborted) return
      const step = take(state, reading, folder)
      state = step.state
      options.onUnread(state.unread)
      log.update(watchProblem === undefined ? step.problems : new Map([...step.problems, ['watch', watchProblem]]))
      if (step.update !== undefined) yield step.update
      await watch.next(signal)
    }
  } finally {
    watch.close()
  }
}

interface Looking {
  readonly reader: FolderReader
  readonly believed: ManifestFiles
  readonly timing: FolderTiming
  readonly pause: typeof pauseByClock
  readonly signal: AbortSignal
}

/** A reading that is not a moment in the middle of a change. */
async function readAtRest({ reader, believed, timing, pause, signal }: Looking): Promise<FolderReading> {
  let reading = await reader.read()
  for (let look = 1; look < timing.mostLooks; look += 1) {
    if (!needsSecondLook(reading, believed, Date.now() - timing.secondLookMs)) return reading
    await pause(timing.secondLookMs, signal)
    if (signal.aborted) return reading
    const again = await reader.read()
    if (sameReading(reading, again)) return again
    reading = again
  }
  return reading
}

interface FollowState {
  readonly catalog: Catalog
  readonly files: ManifestFiles
  readonly problems: ReadonlyMap<string, SourceProblem>
  readonly unread: readonly Unread[]
  /** What the last update said; undefined before the first. */
  readonly unreadable: boolean | undefined
}

interface FollowStep {
  readonly state: FollowState
  readonly problems: ReadonlyMap<string, SourceProblem>
  readonly update: SourceUpdate | undefined
}

const initialState: FollowState = {
  catalog: emptyCatalog,
  files: new Map(),
  problems: new Map(),
  unread: [],
  unreadable: undefined,
}

function take(state: FollowState, reading: FolderReading, folder: string): FollowStep {
  if (!reading.found) {
    if (state.unreadable === undefined) throw cannotStart(folder, reading.code, reading.cause)
    return { state, problems: new Map([...state.problems, ['folder', vanished(folder, reading.code)]]), update: undefined }
  }
  const { catalog, changes, unread, unreadable, problems } = updateCatalog(state.catalog, reading.files, folder)
  const news = changes.length > 0 || unreadable !== state.unreadable
  return {
    state: { catalog, files: reading.files, problems, unread, unreadable },
    problems,
    update: news ? { changes, complete: true, unreadable } : undefined,
  }
}

function cannotStart(folder: string, code: string, cause: unknown): Error {
  const problem =
    code === 'ENOENT' ? 'there is no such folder' : code === 'ENOTDIR' ? 'it is no folder' : `it cannot be read (${code})`
  return new Error(`manifests in ${folder}: ${problem}. Create the folder, or correct --manifests.`, { cause })
}

function vanished(folder: string, code: string): SourceProblem {
  const problem = code === 'ENOENT' ? 'the folder is gone' : `the folder cannot be read (${code})`
  return { severity: 'error', where: folder, problem, advice: 'Its last good objects stay until it is back. Restore the folder.' }
}
