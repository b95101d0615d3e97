// IPVS's timeouts through ipvsadm(8): what to ask, what its answer says, how to set them. Runs nothing.
import type { Query } from './plan.ts'

/** In seconds: idle TCP connections, those after a FIN, UDP flows. */
export interface IpvsTimeouts {
  readonly tcp: number
  readonly tcpFin: number
  readonly udp: number
}

/** Cheap, unlike a listing of virtual servers; loads IPVS where the kernel may. */
export const timeoutsQuery: Query = { argv: ['ipvsadm', '-l', '--timeout'] }

/** `Timeout (tcp tcpfin udp): 900 120 300`. Throws where ipvsadm speaks otherwise. */
export function parseTimeouts(output: string): IpvsTimeouts {
  const [, tcp, tcpFin, udp] = /^Timeout \(tcp tcpfin udp\): (\d+) (\d+) (\d+)$/m.exec(output) ?? []
  if (udp === undefined) {
    const expected = 'Timeout (tcp tcpfin udp): 900 120 300'
    throw new Error(`ipvsadm -l --timeout printed ${JSON.stringify(output)}, expected a line such as ${JSON.stringify(expected)}`)
  }
  return { tcp: Number(tcp), tcpFin: Number(tcpFin), udp: Number(udp) }
}

export function setTimeoutsArgv({ tcp, tcpFin, udp }: IpvsTimeouts): readonly string[] {
  return ['ipvsadm', '--set', String(tcp), String(tcpFin), String(udp)]
}
