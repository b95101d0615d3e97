// `switchyard trace`: what would become of a packet, by the kernel's own rules. Reads the cluster and the kernel itself, or asks the daemon; sends nothing.
import { bool, choice } from '../config/field-type.ts'
import type { Flags } from '../config/flags.ts'
import { type TraceQuestion, traceObject } from '../explain/trace.ts'
import { type TraceObject, tracePath } from '../explain/trace-object.ts'
import { withRoutes } from '../explain/trace-routes.ts'
import { hasRoute } from '../kernel/routes.ts'
import { readParameters } from '../sync/wanted-parameters.ts'
import { type Asked, lookingCommand, lookingFlags, placeHelp, sourceHelp } from './looking-command.ts'
import { paint } from './paint.ts'
import { traceText } from './trace-text.ts'

export const flags: Flags = {
  ...lookingFlags,
  family: { type: choice('IPv4', 'IPv6'), default: '', help: 'Where both ends have both.', withConfig: 'applies' },
  path: { type: bool, default: false, help: 'Every rule that it passes.', withConfig: 'applies' },
  all: { type: bool, default: false, help: 'All endpoints, however many there are.', withConfig: 'applies' },
}

interface Wishes {
  readonly family?: 'IPv4' | 'IPv6'
  readonly path?: boolean
  readonly all?: boolean
}

/** Endpoints of one answer, unless all are asked for. */
const mostEndpoints = 20

const usage = `Usage: switchyard trace FROM TO[:PORT][/PROTOCOL] [-o json] [--path] [FLAGS OF run]

What would become of a new connection: whose address it is, which rules or which virtual server decide, the endpoints with their chances and why others
get none, whether it is masqueraded. Walks the rules that are in the kernel now, heeds the
kernel parameters that stop packets (those for all links), and says where these are not as they should be. Sends no packet.
Asks the Switchyard that runs on this node; with flags that name a source it reads the cluster and the kernel itself. What others made with nft, and
rules of the other iptables backend, it does not see. Of routes it asks whether this node has one to each endpoint; what other nodes do is not looked at.

  FROM    an address, pod/NAME, pod/NAMESPACE/NAME, node (this one), outside (some client that is no pod)
  TO      an address, svc/NAME, svc/NAMESPACE/NAME, pod/NAME, node
  PORT    a number, or the name of the Service's port; needed where there are several
  PROTOCOL  TCP, UDP or SCTP; TCP where nothing is said and the port has it

  -o, --output FORMAT     text (default) or json
  --family FAMILY         IPv4 or IPv6, where both ends have both (default: the first that this node has)
  --path                  every rule that it passes
  --all                   all endpoints (else ${mostEndpoints})
${sourceHelp}
${placeHelp}

Exit status: 0 it could be told, whatever it is; 1 it could not; 64 the command line is wrong.

Examples:
  switchyard trace outside node:30008                why does (or does not) node port 30008 of this node answer?
  switchyard trace pod/web-1 svc/kube-system/kube-dns:53/UDP
  switchyard trace 10.244.1.11 10.96.0.1:443 --path
  switchyard trace node svc/web -o json | jq '.candidates[].endpoint'
`

export const main = lookingCommand<Wishes, TraceObject>({
  ...{ name: 'trace', flags, usage, kind: 'Trace', tellsKeeper: true },
  mistakes: words =>
    words.length === 2 ? [] : [`trace takes two arguments, FROM and TO, and got ${words.length}; see 'switchyard trace --help'`],
  find: async ({ config, modeName: mode, cluster, unread, exec, surveys }, asked) => {
    const inspections = await surveys()
    const parameters = await readParameters({ ...config, mode }, inspections)
    const object = traceObject(questionOf(asked), { inspections, cluster, unread, parameters }, Date.now())
    return 'problem' in object ? object : { object: await withRoutes(object, address => hasRoute(address, exec)) }
  },
  path: asked => {
    const { from, to, family } = questionOf(asked)
    return `${tracePath}?${new URLSearchParams({ from, to, ...(family === undefined ? {} : { family }) })}`
  },
  text: (found, { path = false, all = false }) => {
    const width = Math.min(process.stdout.columns ?? 80, 120)
    return traceText(found, { paint, width, path, most: all ? undefined : mostEndpoints })
  },
  status: () => 0,
})

function questionOf({ words: [from = '', to = ''], wishes: { family } }: Asked<Wishes>): TraceQuestion {
  return { from, to, family }
}
