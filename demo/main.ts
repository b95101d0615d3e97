// The main job, shown with real packets: a node, three pods and a client as network namespaces, the classic manifests of the
// tutorials, and Switchyard between them. Ends with 0 only where everything was as it said.
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Daemon } from '../test/support/lab/daemon.ts'
import { type Lab, startLab } from '../test/support/lab/lab.ts'
import { listNamespaces } from '../test/support/lab/namespaces.ts'
import { exploreInside, leave } from './leave.ts'
import { bad, command, say, title } from './screen.ts'
import { showEverything } from './tour.ts'

const usage = `Usage: npm run demo [-- [--mode iptables|ipvs] [--keep]]

  --mode   how Services are programmed (iptables); ipvs runs in user-mode Linux where this machine's kernel has no IPVS
  --keep   leave the laboratory and Switchyard running afterwards, and print how to explore and how to remove it; in user-mode
           Linux, which ends with the demo, you get a shell instead
`

/** In a kernel that ends with this process (scripts/demo): nothing can be left. */
const inGuest = process.env['SWITCHYARD_DEMO_IN_GUEST'] === 'yes'

type Mode = 'iptables' | 'ipvs'

interface Wishes {
  readonly keep: boolean
  readonly help: boolean
  readonly mode: string
}

async function main(): Promise<number> {
  const options = {
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
    mode: { type: 'string', default: 'iptables' },
  } as const
  let wishes: Wishes
  try {
    wishes = parseArgs({ options }).values
  } catch (error) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : error}\n\n${usage}`)
    return 64
  }
  if (wishes.help) {
    process.stdout.write(usage)
    return 0
  }
  const { keep, mode } = wishes
  if (mode === 'iptables' || mode === 'ipvs') return demonstrate({ keep, mode })
  process.stderr.write(`demo: --mode: expected iptables or ipvs, found ${JSON.stringify(mode)}\n\n${usage}`)
  return 64
}

async function demonstrate({ keep, mode }: { readonly keep: boolean; readonly mode: Mode }): Promise<number> {
  const started = performance.now()
  title('Switchyard: from Service manifests to packets that arrive')
  say('Building a laboratory of network namespaces: node1, the pods web-1, web-2 and web-3, a client outside.')
  await using lab = await startLab({ prefix: await freePrefix(), nodes: [{ name: 'node1', pods: ['web-1', 'web-2', 'web-3'] }] })
  await using daemon = await startSwitchyard(lab, mode)
  try {
    await showEverything({ lab, daemon, mode, manifests: manifestsOf(lab) })
  } catch (error) {
    bad(error instanceof Error ? error.message : String(error))
    return 1
  }
  title(`All as promised, in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
  if (!keep) {
    const again = mode === 'ipvs' ? '--mode ipvs --keep' : '--keep'
    say(
      `The laboratory is removed. \`npm run demo -- ${again}\` ${inGuest ? 'gives you a shell in it' : 'leaves it for you to explore'}.`,
    )
    return 0
  }
  await daemon.stop()
  const kept = { lab, mode, manifests: manifestsOf(lab), flags: flagsFor(lab, mode) }
  await (inGuest ? exploreInside(kept) : leave(kept))
  return 0
}

function flagsFor(lab: Lab, mode: Mode): readonly string[] {
  const flags = ['--manifests', manifestsOf(lab), '--hostname-override', 'node1', '--cluster-cidr', '10.244.0.0/16']
  return mode === 'iptables' ? flags : [...flags, '--proxy-mode', mode]
}

function manifestsOf(lab: Lab): string {
  return join(lab.directory, 'manifests')
}

async function startSwitchyard(lab: Lab, mode: Mode): Promise<Daemon> {
  const source = join(import.meta.dirname, 'manifests')
  const manifests = manifestsOf(lab)
  await mkdir(manifests)
  for (const file of await readdir(source)) await copyFile(join(source, file), join(manifests, file))
  const daemon = new Daemon({ namespace: lab.node.namespace, arguments: flagsFor(lab, mode) })
  daemon.start()
  command(`switchyard ${flagsFor(lab, mode).join(' ')}`)
  await daemon.waitForLog(({ msg }) => msg.startsWith('synced IPv4'), { what: 'Switchyard to program the node' })
  return daemon
}

/** `demo-`, or `demo2-` where an earlier one was kept. */
async function freePrefix(): Promise<string> {
  const taken = await listNamespaces()
  for (let number = 1; ; number++) {
    const prefix = number === 1 ? 'demo-' : `demo${number}-`
    if (!taken.some(name => name.startsWith(prefix))) return prefix
  }
}

process.exitCode = await main()
