// Loads configurations from texts in memory.
import { parseFlags } from '../../src/config/flag-parser.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { type ConfigProblem, formatProblem } from '../../src/config/problem.ts'

export const header = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
export const switchyardHeader = 'apiVersion: switchyard/v1alpha1\nkind: SwitchyardConfiguration\n'

/** `files` by path; `argv` as on the command line, and without errors of its own. */
export function load(argv: readonly string[], files: Readonly<Record<string, string>> = {}, hostname = 'host1'): LoadedConfig {
  const { values, errors } = parseFlags(argv)
  if (errors.length > 0) throw new Error(lines(errors).join('\n'))
  return loadConfig({ flags: values, hostname, readFile: path => files[path] ?? missing(path) })
}

/** A KubeProxyConfiguration of these lines, after apiVersion and kind; line 3 is the first of them. */
export function loadFile(yaml: string, argv: readonly string[] = []): LoadedConfig {
  return load(['--config=/etc/config.conf', ...argv], { '/etc/config.conf': header + yaml })
}

export function lines(problems: readonly ConfigProblem[]): readonly string[] {
  return problems.map(formatProblem)
}

/** `a.b.c` and a value → the nested object. */
export function nest(path: string, value: unknown): unknown {
  return path.split('.').reduceRight((inner, key) => ({ [key]: inner }), value)
}

function missing(path: string): never {
  throw Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: 'ENOENT' })
}
