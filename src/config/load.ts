// Flags and files → the whole configuration, or every reason why there is none, at once.
// kube-proxy's precedence (flag-settings.ts), and beside its file our own switchyard.conf. Pure apart from the injected `readFile`.
import { dirname, join } from 'node:path'
import { withBindDefaults } from './bind-defaults.ts'
import { checkSettings, tolerateUnused } from './check.ts'
import type { Config } from './config.ts'
import { daemonConfig, type Settings } from './daemon-config.ts'
import type { OtherFile } from './decode.ts'
import { flagDefaults, hasConfigFile, withFlags } from './flag-settings.ts'
import type { FlagValues } from './flags.ts'
import { kubeProxyFields, kubeProxyKind } from './kube-proxy-fields.ts'
import { type NodeName, nodeName } from './node-name.ts'
import { type Locate, locator } from './place.ts'
import type { ConfigProblem } from './problem.ts'
import { flagRemarks, unusedSettings } from './remarks.ts'
import { noFile, type ReadFile, readSettings, type SettingsFile } from './settings-file.ts'
import { switchyardFields, switchyardFileName, switchyardKind } from './switchyard-fields.ts'

export interface LoadOptions {
  /** As parseFlags gives them. */
  readonly flags: FlagValues
  readonly readFile: ReadFile
  /** What hostname(1) says. */
  readonly hostname: string
}

/** With errors, the settings hold the default in the place of each wrong value, and the node name may be empty. */
export interface LoadedConfig extends Settings {
  /** Undefined exactly where there are errors. */
  readonly config: Config | undefined
  readonly errors: readonly ConfigProblem[]
  readonly warnings: readonly ConfigProblem[]
  /** What is set and has no effect here, and what an empty setting leads to. */
  readonly notices: readonly ConfigProblem[]
  /** The files that were read, or would have been had they been there: what to watch. */
  readonly files: readonly string[]
}

interface Files {
  readonly kubeProxy: SettingsFile<typeof kubeProxyFields>
  readonly switchyard: SettingsFile<typeof switchyardFields>
}

export function loadConfig({ flags, readFile, hostname }: LoadOptions): LoadedConfig {
  const files: Files = { kubeProxy: readKubeProxyFile(flags, readFile), switchyard: readSwitchyardFile(flags, readFile) }
  const kubeProxy = withBindDefaults(withFlags(kubeProxyFields, files.kubeProxy, flags), flags)
  const switchyard = withFlags(switchyardFields, files.switchyard, flags)
  const name = nodeName(kubeProxy.settings.hostnameOverride, hostname)
  const settings: Settings = {
    nodeName: 'name' in name ? name.name : '',
    effective: kubeProxy.settings,
    switchyard: switchyard.settings,
    origins: new Map([...kubeProxy.origins, ...switchyard.origins]),
    flagValues: flags,
  }
  const problems = [...fileProblems(files, settings), ...nodeNameProblems(name, files, settings), ...flagRemarks(flags)]
  const errors = problems.filter(({ severity }) => severity === 'error')
  return {
    ...settings,
    config: errors.length === 0 ? daemonConfig(settings) : undefined,
    errors,
    warnings: problems.filter(({ severity }) => severity === 'warning'),
    notices: problems.filter(({ severity }) => severity === 'info'),
    files: [files.kubeProxy.path, switchyardPath(flags)?.path].filter(path => path !== undefined),
  }
}

const kubeProxyFile: OtherFile = { fields: kubeProxyFields, name: 'the KubeProxyConfiguration' }
const switchyardFile: OtherFile = { fields: switchyardFields, name: switchyardFileName }

function readKubeProxyFile(flags: FlagValues, readFile: ReadFile): Files['kubeProxy'] {
  if (!hasConfigFile(flags)) return { ...noFile(kubeProxyFields), settings: flagDefaults() }
  return readSettings({ path: flags.config, fields: kubeProxyFields, other: switchyardFile, kind: kubeProxyKind, readFile })
}

function readSwitchyardFile(flags: FlagValues, readFile: ReadFile): Files['switchyard'] {
  const file = switchyardPath(flags)
  return file === undefined
    ? noFile(switchyardFields)
    : readSettings({ ...file, fields: switchyardFields, other: kubeProxyFile, kind: switchyardKind, readFile })
}

/** The file of --switchyard-config has to be there, the one beside the KubeProxyConfiguration need not. */
function switchyardPath(flags: FlagValues): { readonly path: string; readonly optional: boolean } | undefined {
  const named = flags['switchyard-config'] ?? ''
  if (named !== '') return { path: named, optional: false }
  return hasConfigFile(flags) ? { path: join(dirname(flags.config), switchyardFileName), optional: true } : undefined
}

function fileProblems(files: Files, { effective, origins }: Settings): readonly ConfigProblem[] {
  const inKubeProxyFile = locator(files.kubeProxy, origins)
  const found = files.kubeProxy.findings.map(finding => tolerateUnused(finding, effective))
  const paths = new Set(found.map(finding => finding.path))
  // A wrong value has its default here: what a check says of that is no news. Of an unusable file all values are defaults.
  const checked = files.kubeProxy.usable ? checkSettings(effective).filter(finding => !paths.has(finding.path)) : []
  return [
    ...[...found, ...checked, ...unusedSettings(kubeProxyFields, effective, origins)].map(inKubeProxyFile),
    ...files.switchyard.findings.map(locator(files.switchyard, origins)),
  ]
}

function nodeNameProblems(name: NodeName, files: Files, { origins }: Settings): readonly ConfigProblem[] {
  if ('name' in name) return []
  const locate: Locate = origins.has('hostnameOverride')
    ? locator(files.kubeProxy, origins)
    : finding => ({ ...finding, where: 'the host name', advice: `${finding.advice}; or name the Node by --hostname-override` })
  return [locate({ severity: 'error', path: 'hostnameOverride', ...name })]
}
