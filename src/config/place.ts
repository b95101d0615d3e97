// A finding about a setting → the place where the operator finds it: file, line and path, or the flag.
import type { Fields, Origin } from './field.ts'
import { flagFor } from './flag-settings.ts'
import type { ConfigProblem, Finding } from './problem.ts'
import type { SettingsFile } from './settings-file.ts'

/** Given the file that a finding would be in, if it is in a file. */
export type Locate = (finding: Finding) => ConfigProblem

export function locator(file: Pick<SettingsFile<Fields>, 'path' | 'lineOf'>, origins: ReadonlyMap<string, Origin>): Locate {
  return finding => {
    const setting = finding.path.replace(/\[.*/, '')
    const flag = flagFor(setting)
    if (flag !== undefined && (origins.get(setting) === 'flag' || file.path === undefined))
      return { ...finding, where: `--${flag}` }
    const line = finding.line ?? (finding.path === '' ? undefined : file.lineOf(finding.path))
    const place = `${file.path ?? ''}${line === undefined ? '' : `:${line}`}`
    return { ...finding, line, where: [place, finding.path].filter(part => part !== '').join(': ') }
  }
}
