// Who answers for an IPv4 address on a network: asks by ARP, as a router would before it sends a packet there.
import type { Lab } from './lab.ts'

/** How many requests stay unanswered until nobody is taken to answer; a second apart. */
const requests = 2

/** Asks on the link eth0 of `from` (the client, a node or a pod). Gives the link address that answered, undefined where none did. */
export async function whoHas(lab: Lab, { address, from }: { address: string; from: string }): Promise<string | undefined> {
  // -f ends with the first answer; the exit status is 1 where there was none.
  const words = ['arping', '-f', '-c', String(requests), '-I', 'eth0', address]
  const { stdout } = await lab.run(from, ['sh', '-c', '"$@" || [ $? -eq 1 ]', 'arping', ...words])
  return /^Unicast reply from \S+ \[([0-9A-F:]+)\]/m.exec(stdout)?.[1]?.toLowerCase()
}
