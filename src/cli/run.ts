// The daemon's command line: flags and files → configuration → daemon, or one of the things that are done once.
import { readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { parseFlags } from '../config/flag-parser.ts'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { type ConfigProblem, formatProblem } from '../config/problem.ts'
import { flagHelp } from '../config/reference.ts'
import { kubeProxyYaml } from '../config/render.ts'
import { commandList, commandNames } from './commands.ts'
import { runDaemon } from './daemon.ts'
import { initialise } from './init-only.ts'
import { LiveConfig } from './live-config.ts'
import { createLogger } from './log.ts'
import { complain, refuse, say, wordsOf } from './say.ts'
import { version } from './version.ts'

export { flags } from '../config/flags.ts'

export async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseFlags(argv)
  const flags = parsed.values
  const command = parsed.positionals.find(word => commandNames.includes(word))
  if (command !== undefined) return refuse([`the command comes first: switchyard ${command} [FLAGS]`])
  if (parsed.errors.length > 0) return notStarted(parsed.errors)
  if (flags.help === true) return say(help())
  if (flags.version === 'true' || flags.version === 'raw') return say(`Switchyard ${version()}\n`)
  const load = (): LoadedConfig => loadConfig({ flags, readFile: path => readFileSync(path, 'utf8'), hostname: hostname() })
  const loaded = load()
  if (loaded.config === undefined) return notStarted([...loaded.errors, ...loaded.warnings])
  if (flags['write-config-to'] !== undefined) return writeConfig(flags['write-config-to'], loaded)
  if (flags.cleanup === true) {
    const { stateDirectory, sysctlRoot } = loaded.config
    return (await import('./cleanup.ts')).cleanup({ dryRun: false, force: false, stateDirectory, sysctlRoot })
  }
  const log = createLogger(loaded.config.logging)
  for (const problem of loaded.warnings) log.warn(formatProblem(problem))
  for (const problem of loaded.notices) log.info(formatProblem(problem))
  if (flags['init-only'] === true) return initialise(loaded.config, log)
  return runDaemon(new LiveConfig({ loaded, config: loaded.config, load, log }), log)
}

/** As kube-proxy does: flags and file together, with all defaults, as a file that it would read again. */
function writeConfig(path: string, loaded: LoadedConfig): number {
  try {
    writeFileSync(path, kubeProxyYaml(loaded.effective))
    return say(`wrote ${path}\n`)
  } catch (error) {
    return complain(`--write-config-to ${path}: ${wordsOf(error)}`)
  }
}

function help(): string {
  return `Usage: switchyard run [FLAGS]

Follows the cluster's Services and EndpointSlices and programs this node's kernel. SIGTERM ends it and leaves the rules.

Examples:
  switchyard run --manifests ./manifests --hostname-override node1
  switchyard run --config /var/lib/kube-proxy/config.conf --hostname-override node1

Exit status: 0 it was told to end; 1 it cannot run here, or an error stopped it; 64 the command line or the configuration is wrong.

Commands, each with a --help of its own (without one it is run):
${commandList()}

Flags (as kube-proxy's, and some of our own):
${flagHelp()}`
}

function notStarted(problems: readonly ConfigProblem[]): number {
  const advice = 'not started; `switchyard run --help` lists the flags'
  return refuse([...problems.map(problem => `${problem.severity}: ${formatProblem(problem)}`), advice])
}
