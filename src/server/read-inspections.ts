// A reading of the kernel for who asks the metrics server, or the answer that there is none now.
import type { Inspection } from '../sync/inspect.ts'
import { type HttpResponse, textResponse } from './http.ts'

/** Gives what `read` gives, or what to answer where the kernel cannot be read. */
export async function orUnreadable<T extends object>(read: () => Promise<T>): Promise<T | HttpResponse> {
  return read().catch((error: unknown) => {
    return unavailable(`the kernel cannot be read: ${error instanceof Error ? error.message : error}`)
  })
}

const why = 'nothing was programmed yet, the last sync failed, or changes come too thick to look between them'

/** @param what cannot be done: `the kernel cannot be traced`. */
export function notNow(what: string): HttpResponse {
  return unavailable(`${what} now: ${why}; 'switchyard status' says more, or ask again`)
}

function unavailable(reason: string): HttpResponse {
  return textResponse(503, `${reason}\n`, { 'Retry-After': '1' })
}

/** One reading of the kernel for all who ask (`SharedInspections`). */
export type ReadInspections<Found extends Inspection = Inspection> = () => Promise<readonly Found[]>
