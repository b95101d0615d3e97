// What a new connection costs: TCP connects of a pod to a Service, through few Services and through many, and to Services of few and of
// many endpoints; taken in turns, so that all meet the same machine.
import { createExec } from '../../src/kernel/exec.ts'
import { generator } from '../cluster.ts'
import type { Measurement } from '../figures.ts'
import { type BenchService, podAddress, podPort, servicePort } from '../objects.ts'
import { readable } from '../statistics.ts'
import { World, type WorldOptions } from '../world.ts'
import { sizeAndBackend } from './cold.ts'

const rounds = 10
const connectsARound = 200
/** Endpoints of Services that are measured each by itself: below and above what makes a tree of a list. */
const widths = [1, 5, 50, 250, 1000]

interface Target {
  readonly what: string
  readonly world: World
  readonly services: readonly { readonly address: string; readonly port: number }[]
  readonly samples: number[]
}

export async function measureDataplane(
  options: Omit<WorldOptions, 'cluster'>,
  sizes: readonly { readonly services: number; readonly endpoints: number }[],
): Promise<readonly Measurement[]> {
  await using stack = new AsyncDisposableStack()
  const targets: Target[] = []
  for (const size of sizes) {
    const world = stack.use(await World.create({ ...options, cluster: { ...size, probes: 0, wide: widths } }))
    await world.startDaemon().waitForSync()
    targets.push(...targetsIn(world))
  }
  for (let round = 0; round < rounds; round++)
    for (const target of targets) target.samples.push(...(await connects(target, round)))
  // The same through the fewest Services is the floor of the others.
  const [fewest] = targets
  return targets.map(({ what, world, samples }) => {
    const floor = targets.find(each => each.world === fewest?.world && each.what === what)?.samples
    const figure = { part: 'dataplane', unit: 'µs', ...sizeAndBackend(world), what, samples } as const
    return world === fewest?.world || floor === undefined ? figure : { ...figure, floor }
  })
}

function targetsIn(world: World): readonly Target[] {
  const toService = ({ clusterIP }: BenchService) => ({ address: clusterIP, port: servicePort })
  return [
    { what: 'connect to a pod, past all Services', world, services: [{ address: podAddress(1), port: podPort }], samples: [] },
    { what: 'connect to a Service', world, services: world.sized.map(toService), samples: [] },
    ...world.services.slice(-widths.length).map(service => {
      const count = service.pods.length
      const what = `connect to a Service of ${readable(count)} endpoint${count === 1 ? '' : 's'}`
      return { what, world, services: [toService(service)], samples: [] }
    }),
  ]
}

async function connects({ world, services }: Target, round: number): Promise<readonly number[]> {
  const random = generator(round)
  const picked = Array.from({ length: connectsARound }, () => services[random(services.length)])
  const input = picked.map(target => `${target?.address} ${target?.port}\n`).join('')
  const exec = createExec({ prefix: world.node.clientNamespace.prefix })
  const { stdout } = await exec({ argv: ['perl', '-e', connectAll], input })
  // The first ones find cold caches.
  return stdout.trim().split('\n').map(Number).slice(5)
}

/** Blocking connects, one after the other: `ADDRESS PORT` a line in, microseconds a line out. Node's event loop would cost more than the kernel. */
const connectAll = `
use strict; use Socket; use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
while (<STDIN>) {
  my ($address, $port) = split;
  socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
  setsockopt($socket, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0));
  my $to = pack_sockaddr_in($port, inet_aton($address));
  my $start = clock_gettime(CLOCK_MONOTONIC);
  connect($socket, $to) or die "connect to $address:$port: $!";
  printf "%.1f\\n", (clock_gettime(CLOCK_MONOTONIC) - $start) * 1e6;
  close $socket;
}
`
