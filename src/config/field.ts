// A kind of configuration as a flat table: path → type, default, whether a change is live, one line of meaning.
// Decoding, flags, defaults, docs, rendering and the difference of two configurations all read such a table, so that a
// new setting is one row. Tables: kube-proxy-fields.ts, switchyard-fields.ts.
import type { FieldType } from './field-type.ts'

/** When a change in the file takes effect: at once, when the process starts anew, or never, because the field means nothing here. */
export type Reload = 'live' | 'restart' | 'unused'

export interface Field<T> {
  readonly type: FieldType<T>
  readonly default: T
  /** Whether Go's zero value (`0s`, `""`, `0`) in the file means "not set", as kube-proxy's defaulting has it. */
  readonly zeroIsUnset: boolean
  readonly reload: Reload
  /** One line. */
  readonly about: string
}

/** Keys are dotted paths: `iptables.masqueradeBit`. */
export type Fields = Readonly<Record<string, Field<unknown>>>

/** A value for every path of a table. */
export type SettingsOf<F extends Fields> = { readonly [P in keyof F]: F[P] extends Field<infer T> ? T : never }

/** Where a value comes from. */
export type Origin = 'default' | 'file' | 'flag'

type Zero = 'zero is a value' | 'zero is unset'
type Row<T> = readonly [type: FieldType<T>, defaultValue: NoInfer<T>, about: string, zero?: Zero]

/** A row whose change is applied without a restart. */
export const live = <T>(...row: Row<T>): Field<T> => field('live', row)
/** A row whose change waits for the next start. */
export const restart = <T>(...row: Row<T>): Field<T> => field('restart', row)
/** A row that is accepted and has no effect; `about` says why. */
export const unused = <T>(...row: Row<T>): Field<T> => field('unused', row)

function field<T>(reload: Reload, [type, defaultValue, about, zero]: Row<T>): Field<T> {
  return { type, default: defaultValue, zeroIsUnset: zero === 'zero is unset', reload, about }
}

/** The typed value of every row, all at their defaults. */
export function defaultsOf<F extends Fields>(fields: F): SettingsOf<F> {
  return settingsOf(fields, ([, { default: value }]) => value)
}

/** Builds a value for every row. `choose` must give what the row's type holds. */
export function settingsOf<F extends Fields>(fields: F, choose: (entry: [string, Field<unknown>]) => unknown): SettingsOf<F> {
  return Object.fromEntries(Object.entries(fields).map(entry => [entry[0], choose(entry)])) as SettingsOf<F>
}
