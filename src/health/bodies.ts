// What the health server answers: kube-proxy's bodies for /healthz, /livez and health check node ports, ours for /readyz. Pure.
import type { IpFamily } from '../model/address.ts'
import type { WatchState } from './readiness.ts'
import type { SyncStatus } from './sync-health.ts'

/** How one clock's reading becomes a time of day. */
export type ToWallClock = (now: number) => number

export interface ProxyHealthInput {
  readonly sync: SyncStatus
  /** Milliseconds since 1970. */
  readonly currentTime: number
  readonly toWallClock: ToWallClock
}

/** /livez. Consumers know `lastUpdated` as the time of the last pass, which for a healthy proxy is always recent: so it is now. */
export function livezBody(input: ProxyHealthInput): string {
  return proxyHealthBody({ ...input, fresh: input.sync.healthy, eligibility: {} })
}

/** /healthz: the node's eligibility beside the proxy's health; only with both is the answer 200. */
export function healthzBody(input: ProxyHealthInput & { readonly nodeEligible: boolean }): string {
  const { nodeEligible } = input
  return proxyHealthBody({ ...input, fresh: input.sync.healthy && nodeEligible, eligibility: { nodeEligible } })
}

function proxyHealthBody(
  input: ProxyHealthInput & { readonly fresh: boolean; readonly eligibility: { readonly nodeEligible?: boolean } },
): string {
  const { sync, currentTime, toWallClock, fresh, eligibility } = input
  const status: Partial<Record<IpFamily, object>> = {}
  for (const [family, { lastSynced, healthy }] of sync.families) {
    status[family] = { lastUpdated: wallTime(lastSynced, toWallClock), healthy }
  }
  const lastUpdated = fresh ? new Date(currentTime).toISOString() : wallTime(lastOf(sync), toWallClock)
  const current = new Date(currentTime).toISOString()
  return JSON.stringify({ lastUpdated, currentTime: current, ...eligibility, healthy: sync.healthy, status })
}

/** How Go prints a time that never was. */
const never = '0001-01-01T00:00:00Z'

function wallTime(now: number | undefined, toWallClock: ToWallClock): string {
  return now === undefined ? never : new Date(toWallClock(now)).toISOString()
}

function lastOf({ families }: SyncStatus): number | undefined {
  const times = [...families.values()].flatMap(({ lastSynced }) => lastSynced ?? [])
  return times.length === 0 ? undefined : Math.max(...times)
}

export interface ReadyzInput extends ProxyHealthInput {
  readonly missing: readonly string[]
  readonly watches: readonly WatchState[]
}

/** /readyz: what is missing, in words, and where each family and watch stands. Ages are seconds. */
export function readyzBody({ missing, sync, watches, currentTime, toWallClock }: ReadyzInput): string {
  const families = Object.fromEntries(
    [...sync.families].map(([family, { lastSynced, waitingMs }]) => [
      family,
      {
        lastSynced: lastSynced === undefined ? null : wallTime(lastSynced, toWallClock),
        waitingSeconds: inSeconds(waitingMs) ?? 0,
      },
    ]),
  )
  const followed = Object.fromEntries(
    watches.map(({ resource, synced, lastContactAgeMs, failure }) => [
      resource,
      { synced, secondsSinceContact: inSeconds(lastContactAgeMs), failure: failure ?? null },
    ]),
  )
  const ready = missing.length === 0
  return JSON.stringify({ ready, missing, currentTime: new Date(currentTime).toISOString(), families, watches: followed })
}

function inSeconds(milliseconds: number | undefined): number | null {
  return milliseconds === undefined ? null : Math.round(milliseconds) / 1000
}

export interface ServiceHealth {
  readonly namespace: string
  readonly name: string
  /** Ready endpoints on this node. */
  readonly localEndpoints: number
  readonly serviceProxyHealthy: boolean
}

/** A health check node port, indented by tabs as kube-proxy has it. */
export function serviceHealthBody({ namespace, name, localEndpoints, serviceProxyHealthy }: ServiceHealth): string {
  return JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, undefined, '\t')
}

/** Whether a load balancer may send connections for this Service here. */
export function isServiceHealthy({ localEndpoints, serviceProxyHealthy }: ServiceHealth): boolean {
  return localEndpoints > 0 && serviceProxyHealthy
}
