// `switchyard verify`: is this node's kernel as it should be, and if not, what does that mean? Reads the cluster and the kernel itself, or asks the
// daemon; changes nothing.
import { bool } from '../config/field-type.ts'
import type { Flags } from '../config/flags.ts'
import { verifyObject } from '../explain/verify.ts'
import { type VerifyObject, verifyPath } from '../explain/verify-object.ts'
import { lookingCommand, lookingFlags, placeHelp, sourceHelp } from './looking-command.ts'
import { paint } from './paint.ts'
import { compare } from './read-cluster.ts'
import { verifyText } from './verify-text.ts'

export const flags: Flags = {
  ...lookingFlags,
  all: { type: bool, default: false, help: 'All differences, however many a Service has.', withConfig: 'applies' },
}

interface Wishes {
  readonly all?: boolean
}

/** Of one Service, unless all are asked for. */
const mostDrifts = 20

const usage = `Usage: switchyard verify [FLAGS OF run] [-o json] [--all]

Compares this node's kernel with what it should hold, and names each difference with its Service and what it means for connections. Changes nothing;
a running Switchyard repairs by itself what it finds. Without flags that name a source it asks the Switchyard that runs on this node.

${sourceHelp}
  -o, --output FORMAT     text (default) or json
  --all                   all differences (else ${mostDrifts} a Service)
${placeHelp}

Exit status: 0 the kernel is as it should be; 1 it is not, or it cannot be told; 64 the command line is wrong.

Examples:
  switchyard verify
  switchyard verify --config /var/lib/kube-proxy/config.conf
  switchyard verify -o json | jq -r '.drifts[] | "\\(.service): \\(.meaning)"'
`

export const main = lookingCommand<Wishes, VerifyObject>({
  ...{ name: 'verify', flags, usage, kind: 'Verification', tellsKeeper: true, path: () => verifyPath },
  find: async reading => ({ object: verifyObject(await compare(reading, await reading.surveys())) }),
  text: (found, { all = false }) => verifyText(found, { paint, most: all ? undefined : mostDrifts }),
  status: ({ clean }) => (clean ? 0 : 1),
})
