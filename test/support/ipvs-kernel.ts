// What the kernel of a node holds in ipvs mode, read by its tools, as data for deepEqual.
import { createExec } from '../../src/kernel/exec.ts'
import { parseSets, saveSetsQuery } from '../../src/kernel/ipset.ts'
import { parseServers, type ServerName, saveServersQuery, type VirtualServer } from '../../src/kernel/ipvsadm.ts'
import { dummyAddressesQuery, parseAddresses } from '../../src/kernel/link.ts'

/** Real server → weight: `{ '10.244.1.11:8080': 1 }`. */
export type Weights = Readonly<Record<string, number>>

export interface IpvsKernel {
  /** `-t 10.96.0.1:80` and so on, sorted. */
  serverNames(): Promise<readonly string[]>
  /** What a virtual server has behind it; undefined where there is none of this name. */
  weights(server: string): Promise<Weights | undefined>
  /** Scheduler, persistence and flags: `-s sh -b sh-fallback`; undefined where there is no such virtual server. */
  options(server: string): Promise<string | undefined>
  /** Of a set, sorted; undefined where there is no such set. */
  entries(set: string): Promise<readonly string[] | undefined>
  /** IPv4 addresses on kube-ipvs0, sorted; none where there is no such link. */
  addresses(): Promise<readonly string[]>
  /** Runs a command that someone else would: what it prints. */
  run(...command: readonly string[]): Promise<string>
}

export function ipvsKernelOf(namespace: string): IpvsKernel {
  // Not `ip netns exec`: it mounts a /sys for each command, which costs more than the commands do.
  const exec = createExec({ prefix: ['nsenter', `--net=/run/netns/${namespace}`] })
  const read = async (argv: readonly string[]): Promise<string> => (await exec({ argv })).stdout
  const servers = async (): Promise<Map<ServerName, VirtualServer>> => parseServers(await read(saveServersQuery.argv))
  return {
    serverNames: async () => [...(await servers()).keys()].toSorted(),
    weights: async server => weightsOf((await servers()).get(server as ServerName)),
    options: async server => (await servers()).get(server as ServerName)?.options,
    entries: async set => {
      const found = parseSets(await read(saveSetsQuery.argv), name => name === set).get(set)
      return found && [...found.entries].toSorted()
    },
    addresses: async () => [...parseAddresses(await read(dummyAddressesQuery('IPv4').argv), 'kube-ipvs0')].toSorted(),
    run: (...command) => read(command),
  }
}

function weightsOf(server: VirtualServer | undefined): Weights | undefined {
  if (server === undefined) return undefined
  const entries = [...server.realServers].map(([name, how]) => [name, Number(/-w (\d+)$/.exec(how)?.[1])] as const)
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
