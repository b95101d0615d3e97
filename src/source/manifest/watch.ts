// When to look at a folder again: soon after its files change, and every now and then in case nobody said so.
// The kernel's notices (inotify) are a hint only: network file systems give none, and a folder that is replaced takes its
// watch with it.
import { watch as watchFolder } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { SourceProblem } from '../source.ts'
import { createPulse } from './pulse.ts'

/** Starts to call `onChange`; `onEnd` when it will not call any more. Throws where the folder cannot be watched. */
export type OpenWatch = (folder: string, onChange: () => void, onEnd: () => void) => { close(): void }

export interface WatchTiming {
  /** How long the folder must be quiet before it is read: an editor writes in bursts. */
  readonly quietMs: number
  /** The most that changes without end can put off a reading. */
  readonly mostQuietMs: number
  /** How often to look without notice. */
  readonly rescanMs: number
  /** The same while the folder cannot be watched. */
  readonly blindRescanMs: number
}

export interface FolderWatch {
  /** Watches the folder that is there now; before each reading. Gives what is wrong with watching, if anything. */
  renew(): Promise<SourceProblem | undefined>
  /** Resolves when it is time for the next reading, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void>
  close(): void
}

export interface FolderWatchOptions {
  readonly folder: string
  readonly timing: WatchTiming
  readonly open: OpenWatch
}

interface Watching {
  readonly identity: string
  readonly close: () => void
}

export function createFolderWatch({ folder, timing, open }: FolderWatchOptions): FolderWatch {
  const pulse = createPulse()
  let watching: Watching | undefined
  const close = (): void => {
    watching?.close()
    watching = undefined
  }
  const openFor = (identity: string): Watching => {
    const handle = open(folder, pulse.ring, () => {
      if (watching?.identity === identity) close()
      pulse.ring()
    })
    return { identity, close: () => handle.close() }
  }
  return {
    close,
    async renew() {
      const identity = await identityOf(folder)
      if (identity === undefined || identity !== watching?.identity) close()
      if (identity === undefined || watching !== undefined) return undefined
      try {
        watching = openFor(identity)
        return undefined
      } catch (error) {
        return cannotWatch(folder, timing, error)
      }
    },
    async next(signal) {
      const rung = await pulse.wait(watching === undefined ? timing.blindRescanMs : timing.rescanMs, signal)
      const end = performance.now() + timing.mostQuietMs
      for (let busy = rung; busy && performance.now() < end; ) busy = await pulse.wait(timing.quietMs, signal)
    },
  }
}

/** inotify through Node; one event for many, and none for what happens behind a symbolic link. */
export const openInotify: OpenWatch = (folder, onChange, onEnd) => {
  const watcher = watchFolder(folder, { persistent: true }, onChange)
  watcher.on('error', onEnd)
  return watcher
}

// The number of an inode is given again to the next folder; the time of its birth is not.
async function identityOf(folder: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await stat(folder, { bigint: true })
    return `${dev}:${ino}:${birthtimeNs}`
  } catch {
    return undefined
  }
}

function cannotWatch(folder: string, { blindRescanMs }: WatchTiming, error: unknown): SourceProblem {
  const reason = error instanceof Error ? error.message : String(error)
  return {
    severity: 'warning',
    where: folder,
    problem: `the kernel gives no notice of changes here (${reason}); the folder is read every ${blindRescanMs / 1000} s instead`,
    advice: 'Raise fs.inotify.max_user_instances and fs.inotify.max_user_watches if changes should take effect at once.',
  }
}
