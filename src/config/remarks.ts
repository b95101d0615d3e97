// What loading says beyond errors: settings and flags that somebody gave and that do nothing.
import type { Fields, Origin } from './field.ts'
import { ignoredFlags, uselessFlags } from './flag-settings.ts'
import type { FlagValues } from './flags.ts'
import type { ConfigProblem, Finding, Severity } from './problem.ts'

/** Settings without meaning here that have another value than the default. */
export function unusedSettings(
  fields: Fields,
  settings: Readonly<Record<string, unknown>>,
  origins: ReadonlyMap<string, Origin>,
): readonly Finding[] {
  return Object.entries(fields)
    .filter(([path, { reload }]) => reload === 'unused' && origins.has(path))
    .filter(([path, field]) => JSON.stringify(settings[path]) !== JSON.stringify(field.default))
    .map(([path, { about }]) => ({ severity: 'info', path, problem: 'has no effect', advice: about }))
}

/** One warning for all flags that the --config file overrules, one remark for all that never do anything. */
export function flagRemarks(given: FlagValues): readonly ConfigProblem[] {
  return [
    ...remark('warning', ignoredFlags(given), 'no effect beside --config', 'set this in the file'),
    ...remark('info', uselessFlags(given), 'no effect', 'accepted because kube-proxy has it'),
  ]
}

function remark(severity: Severity, names: readonly string[], problem: string, advice: string): readonly ConfigProblem[] {
  return names.length === 0 ? [] : [{ severity, where: names.map(name => `--${name}`).join(', '), path: '', problem, advice }]
}
