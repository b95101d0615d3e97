// Two configurations → which settings differ, and which of them can change in the running daemon.
// Pure: what a reload of the file has to know, whoever watches it.
import type { Config } from './config.ts'
import { daemonConfig, type Settings } from './daemon-config.ts'
import { type Fields, type SettingsOf, settingsOf } from './field.ts'
import { kubeProxyFields } from './kube-proxy-fields.ts'
import { show } from './problem.ts'
import { switchyardFields } from './switchyard-fields.ts'

/** One setting that changed, with the two values as the file would have them. */
export interface Change {
  readonly path: string
  readonly before: string
  readonly after: string
}

export interface Difference {
  /** Applied at once. */
  readonly live: readonly Change[]
  /** Applied at the next start; until then the old value stays. */
  readonly restart: readonly Change[]
}

/** Settings without meaning here are in neither list. */
export function difference(before: Settings, after: Settings): Difference {
  const changes = [
    ...changesOf(kubeProxyFields, before.effective, after.effective),
    ...changesOf(switchyardFields, before.switchyard, after.switchyard),
  ]
  const ofReload = (reload: string) =>
    changes.filter(change => change.reload === reload).map(({ reload: _, ...change }) => change)
  return { live: ofReload('live'), restart: ofReload('restart') }
}

/** Live settings that stay as they are although the file says otherwise: what it asks for cannot work here. */
export type Kept = Partial<Pick<Settings['effective'], 'mode' | 'ipvs.scheduler'>>

/** What the running daemon goes on with: the new live settings but for those that are kept, and the old ones of all that needs a restart. */
export function reloadedConfig(before: Settings, after: Settings, kept: Kept = {}): Config {
  return daemonConfig({
    ...before,
    effective: { ...withLive(kubeProxyFields, before.effective, after.effective), ...kept },
    switchyard: withLive(switchyardFields, before.switchyard, after.switchyard),
  })
}

function changesOf<F extends Fields>(fields: F, before: SettingsOf<F>, after: SettingsOf<F>) {
  return Object.entries(fields).flatMap(([path, { type, reload }]) => {
    const change = { path, reload, before: show(type.encode(before[path])), after: show(type.encode(after[path])) }
    return JSON.stringify(before[path]) === JSON.stringify(after[path]) ? [] : [change]
  })
}

function withLive<F extends Fields>(fields: F, before: SettingsOf<F>, after: SettingsOf<F>): SettingsOf<F> {
  return settingsOf(fields, ([path, { reload }]) => (reload === 'live' ? after : before)[path])
}
