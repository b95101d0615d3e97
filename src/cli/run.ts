// The daemon: flags and files → configuration → engine, until SIGTERM. The rules stay when it ends.
import { readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { parseFlags } from '../config/flag-parser.ts'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { type ConfigProblem, formatProblem } from '../config/problem.ts'
import { flagHelp } from '../config/reference.ts'
import { kubeProxyYaml } from '../config/render.ts'
import { createExec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { runEngine } from '../sync/engine.ts'
import { createSyncEmitter } from '../sync/events.ts'
import { keepRouteLocalnet } from './keep-route-localnet.ts'
import { LiveConfig } from './live-config.ts'
import { createLogger, type Logger } from './log.ts'
import { logSyncEvents } from './log-events.ts'
import { claimThisNode, waitForKubeProxyToEnd, watchForKubeProxy } from './only-writer.ts'
import { type OpenedSource, openSource } from './open-source.ts'
import { prepareModes } from './prepare-modes.ts'
import { version } from './version.ts'

export async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseFlags(argv)
  const flags = parsed.values
  if (parsed.errors.length > 0) return refuse(parsed.errors)
  if (flags.help === true) return print(help())
  if (flags.version === 'true' || flags.version === 'raw') return print(`Switchyard ${version()}\n`)
  const load = (): LoadedConfig => loadConfig({ flags, readFile: path => readFileSync(path, 'utf8'), hostname: hostname() })
  const loaded = load()
  if (loaded.config === undefined) return refuse([...loaded.errors, ...loaded.warnings])
  if (flags['write-config-to'] !== undefined) return writeConfig(flags['write-config-to'], loaded)
  if (flags.cleanup === true) return (await import('./cleanup.ts')).cleanup({ dryRun: false, force: false })
  const log = createLogger(loaded.config.logging)
  for (const problem of loaded.warnings) log.warn(formatProblem(problem))
  for (const problem of loaded.notices) log.info(formatProblem(problem))
  return runDaemon(new LiveConfig({ loaded, config: loaded.config, load, log }), log)
}

async function runDaemon(live: LiveConfig, log: Logger): Promise<number> {
  const stop = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    log.info(`${name}: ending; the rules stay as they are`)
    stop.abort()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  try {
    await follow(live, log, stop.signal)
    log.info('ended')
    return 0
  } catch (error) {
    log.fatal(error instanceof Error ? error.message : String(error))
    if (!(error instanceof Error) || process.env['SWITCHYARD_STACKS'] !== undefined) log.fatal(error)
    return 1
  } finally {
    // What still waits, for a kube-proxy for instance, would keep the process alive.
    stop.abort()
  }
}

async function follow(live: LiveConfig, log: Logger, signal: AbortSignal): Promise<void> {
  const { config } = live
  log.info(
    { node: config.nodeName, mode: config.mode },
    `Switchyard ${version()} on node ${config.nodeName}, mode ${config.mode}`,
  )
  const claim = await claimThisNode(log)
  let opened: OpenedSource | undefined
  try {
    await waitForKubeProxyToEnd(log, signal)
    if (signal.aborted) return
    const exec = createExec()
    const modes = await prepareModes({ config, exec, log })
    opened = await openSource(config, log)
    const { source } = opened
    const events = createSyncEmitter()
    logSyncEvents(events, log)
    keepRouteLocalnet({ events, sysctl: createSysctl(config.sysctlRoot), settings: () => live.config.traffic, log })
    const watch = watchForKubeProxy({ log, everyMs: config.syncPeriodMs, signal })
    log.info(`following ${source.description}`)
    const engine = { settings: config, source, modes, exec, events, interfaceAddresses, now: () => performance.now() }
    const following = live.follow(signal)
    await runEngine({ ...engine, onSettings: take => live.onChange(take) }, signal)
    await following
    await watch
  } finally {
    await opened?.close()
    await claim.release()
  }
}

/** As kube-proxy does: flags and file together, with all defaults, as a file that it would read again. */
function writeConfig(path: string, loaded: LoadedConfig): number {
  try {
    writeFileSync(path, kubeProxyYaml(loaded.effective))
    process.stdout.write(`wrote ${path}\n`)
    return 0
  } catch (error) {
    process.stderr.write(`switchyard: --write-config-to ${path}: ${error instanceof Error ? error.message : error}\n`)
    return 1
  }
}

function help(): string {
  return `Usage: switchyard run [FLAGS]

Follows the cluster's Services and EndpointSlices and programs this node's kernel. SIGTERM ends it and leaves the rules.

Examples:
  switchyard run --manifests ./manifests --hostname-override node1
  switchyard run --config /var/lib/kube-proxy/config.conf --hostname-override node1

Flags (as kube-proxy's, and some of our own):
${flagHelp()}`
}

function refuse(problems: readonly ConfigProblem[]): number {
  for (const problem of problems) process.stderr.write(`switchyard: ${problem.severity}: ${formatProblem(problem)}\n`)
  process.stderr.write('switchyard: not started; `switchyard run --help` lists the flags\n')
  return 64
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
