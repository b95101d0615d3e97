// What is wrong with, or worth saying about, a configuration: as data, for a log line or a terminal.
// Takes nothing, gives words. A Finding knows only the setting; loading adds where it was set (file and line, or flag).

export type Severity = 'error' | 'warning' | 'info'

export interface Finding {
  readonly severity: Severity
  /** The setting: `iptables.masqueradeBit`, `nodePortAddresses[1]`; empty for a file as a whole. */
  readonly path: string
  /** Line of the file, from 1; undefined where the finding is not about a line. */
  readonly line?: number | undefined
  /** What was seen: `40 is not allowed`. */
  readonly problem: string
  /** What is allowed, or what to do. */
  readonly advice: string
}

/** A finding with the place that the operator has to look at. */
export interface ConfigProblem extends Finding {
  /** `/etc/kube-proxy/config.conf:12: iptables.masqueradeBit`, or `--iptables-masquerade-bit`. */
  readonly where: string
}

/** One line: place, problem, advice. */
export function formatProblem({ where, problem, advice }: ConfigProblem): string {
  return `${where}: ${problem}${advice === '' ? '' : `; ${advice}`}`
}

const longestShown = 80

/** A value as an operator wrote it, on one line and not too long. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= longestShown ? text : `${text.slice(0, longestShown)}...`
}
