// What the flags make of the settings, by kube-proxy's precedence: beside a --config file only those count that flags.ts
// says apply; without one all do, and their defaults are the defaults.
import { type Fields, type Origin, type SettingsOf, settingsOf } from './field.ts'
import { type Flags, type FlagValues, flags } from './flags.ts'
import { type KubeProxySettings, kubeProxyFields } from './kube-proxy-fields.ts'

const table: Flags = flags

const flagOfPath = new Map(
  Object.entries(table).flatMap(([name, { sets }]) => (sets === undefined ? [] : [[sets as string, name] as const])),
)

/** The flag that stands for a setting. */
export function flagFor(path: string): string | undefined {
  return flagOfPath.get(path)
}

export function hasConfigFile(given: FlagValues): given is FlagValues & { readonly config: string } {
  return given.config !== undefined && given.config !== ''
}

/** KubeProxyConfiguration without a file and without a flag: a few flags have defaults of their own. */
export function flagDefaults(): KubeProxySettings {
  return settingsOf(kubeProxyFields, ([path, field]) => (table[flagFor(path) ?? ''] ?? field).default)
}

/** Given flags that do not count because there is a --config file. */
export function ignoredFlags(given: FlagValues): readonly string[] {
  if (!hasConfigFile(given)) return []
  return Object.keys(given).filter(name => table[name]?.withConfig === 'ignored')
}

/** Given flags of kube-proxy that set nothing and do nothing here. */
export function uselessFlags(given: FlagValues): readonly string[] {
  return Object.keys(given).filter(name => table[name]?.unused === true)
}

/** Settings and where each comes from; a path without an origin is at its default. */
export interface Traced<F extends Fields> {
  readonly settings: SettingsOf<F>
  readonly origins: ReadonlyMap<string, Origin>
}

/** The settings of one table with the flags that count put over them. */
export function withFlags<F extends Fields>(fields: F, base: Traced<F>, given: FlagValues): Traced<F> {
  const ignored = ignoredFlags(given)
  const values = new Map<string, unknown>()
  for (const [name, value] of Object.entries(given)) {
    const path = table[name]?.sets
    if (path !== undefined && Object.hasOwn(fields, path) && !ignored.includes(name)) values.set(path, value)
  }
  return {
    settings: settingsOf(fields, ([path]) => (values.has(path) ? values.get(path) : base.settings[path])),
    origins: new Map([...base.origins, ...[...values.keys()].map((path): [string, Origin] => [path, 'flag'])]),
  }
}
