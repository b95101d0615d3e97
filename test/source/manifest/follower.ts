// Follows a manifest folder of its own for one test; everything it makes goes with the test.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterObject, Service } from '../../../src/model/objects.ts'
import { type ManifestFolderOptions, manifestFolder } from '../../../src/source/manifest/folder.ts'
import type { ObjectChange, ObjectId, SourceProblem, SourceUpdate } from '../../../src/source/source.ts'
import { type Raw, rawService } from '../support/objects.ts'

const patienceMs = 20_000

export interface Follower {
  readonly updates: SourceUpdate[]
  readonly problems: SourceProblem[]
  /** Objects as the updates add up. */
  readonly objects: Map<ObjectId, ClusterObject>
  changes(): readonly ObjectChange[]
  /** The first port of a Service in the namespace `default`, undefined where it is not there. */
  port(name: string): number | undefined
  said(severity: SourceProblem['severity'], pattern: RegExp): number
  /** Ends the following; resolves when the source has ended. */
  stop(): Promise<void>
}

export type FollowOptions = Omit<ManifestFolderOptions, 'folder' | 'report'>

/** A new empty folder, removed after the test. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-manifests-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Follows the folder from now on; resolves after the first update. Stops with the test. */
export async function follow(context: TestContext, folder: string, options: FollowOptions = {}): Promise<Follower> {
  const abort = new AbortController()
  const updates: SourceUpdate[] = []
  const problems: SourceProblem[] = []
  const objects = new Map<ObjectId, ClusterObject>()
  const source = manifestFolder({ folder, report: problem => problems.push(problem), ...options })
  const ended = (async () => {
    for await (const update of source.updates(abort.signal)) {
      updates.push(update)
      for (const { id, object } of update.changes) {
        if (object === undefined) objects.delete(id)
        else objects.set(id, object)
      }
    }
  })()
  const stop = async (): Promise<void> => {
    abort.abort()
    await ended
  }
  context.after(stop)
  await Promise.race([ended, eventually('the first update', () => updates.length > 0)])
  return {
    updates,
    problems,
    objects,
    stop,
    changes: () => updates.flatMap(({ changes }) => changes),
    port: name => (objects.get(`Service default/${name}`) as Service | undefined)?.ports[0]?.port,
    said: (severity, pattern) =>
      problems.filter(one => one.severity === severity && pattern.test(`${one.where}: ${one.problem}`)).length,
  }
}

/** Polls until the condition holds; fails with its name after a generous time. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`after ${patienceMs / 1000} s still not: ${what}`)
    await delay(5)
  }
}

/** A Service as JSON, which is YAML as well. */
export function service(name: string, port = 80): string {
  return JSON.stringify(serviceObject(name, port))
}

export function serviceObject(name: string, port = 80): Raw {
  return rawService({ ports: [{ port }] }, { metadata: { name } })
}
