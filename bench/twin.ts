// The floor: the same rules fed to the same tools with nothing around them, in a node of its own. Knows the same cluster, renders the
// same text, and measures only the tools. Runs inside that node's namespace, so that the tools are started as the daemon starts them.
import { readFileSync } from 'node:fs'
import { parseFlags } from '../src/config/flag-parser.ts'
import { loadConfig } from '../src/config/load.ts'
import { createExec, type Exec } from '../src/kernel/exec.ts'
import { type Backend, toolsOf } from '../src/kernel/iptables.ts'
import { nodeFacts } from '../src/model/node.ts'
import { iptablesMode } from '../src/modes/iptables/index.ts'
import { createSyncEmitter } from '../src/sync/events.ts'
import { FamilySync } from '../src/sync/family-sync.ts'
import type { ApiObject } from '../test/support/apiserver/resources.ts'
import { answer, clock } from './helper.ts'
import { benchNode, benchServices, type ClusterOptions, DecodedCluster, objectsOf } from './objects.ts'

export interface TwinOptions {
  readonly cluster: ClusterOptions
  readonly backend: Backend
  /** The daemon's command line. */
  readonly flags: readonly string[]
}

export type TwinQuestion =
  /** Feeds all that the cluster has. */
  | { readonly do: 'program' }
  /** Takes a change of the cluster, and feeds what it makes. */
  | { readonly do: 'change'; readonly put?: readonly ApiObject[]; readonly remove?: readonly ApiObject[] }

export interface Fed {
  /** When the first tool that writes was started, by `clock`. */
  readonly startedAt: number
  /** In the tools that write, from start to end. */
  readonly milliseconds: number
  readonly lines: number
}

const { cluster: options, backend, flags } = JSON.parse(process.argv[2] ?? '{}') as TwinOptions
const loaded = loadConfig({ flags: parseFlags(flags).values, readFile: path => readFileSync(path, 'utf8'), hostname: 'node1' })
if (loaded.config === undefined) throw new Error(`bench: ${JSON.stringify(loaded.errors)}`)
const settings = loaded.config.traffic
const cluster = new DecodedCluster()
cluster.put([benchNode, ...benchServices(options).flatMap(objectsOf)])

let fed = nothingFed()
const plain = createExec()
const exec: Exec = async ({ argv, input, more = [] }) => {
  if (input === undefined) return plain({ argv })
  // All of the text before the tool starts: nothing of ours is in its time.
  const text = `${input}${[...more].join('')}`
  const startedAt = clock()
  const result = await plain({ argv, input: text })
  const lines = text.split('\n').length - 1
  fed = {
    startedAt: Math.min(fed.startedAt, startedAt),
    milliseconds: fed.milliseconds + clock() - startedAt,
    lines: fed.lines + lines,
  }
  return result
}
const mode = iptablesMode('IPv4', toolsOf('IPv4', backend))
const now = () => performance.now()
const sync = new FamilySync({ mode, exec, cluster: cluster.store, events: createSyncEmitter(), now })

answer<TwinQuestion>(async asked => {
  if (asked.do === 'change') {
    sync.markDirty(cluster.remove(asked.remove ?? []))
    sync.markDirty(cluster.put(asked.put ?? []))
  }
  fed = nothingFed()
  await sync.pass({ node: nodeFacts('node1', cluster.store.node(), []), settings, sweep: true })
  return fed
})

function nothingFed(): Fed {
  return { startedAt: Number.MAX_VALUE, milliseconds: 0, lines: 0 }
}
