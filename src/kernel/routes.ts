// Whether this node has a route to an address, by `ip route get`: the kernel's own answer, policy routing included.
import { type Address, familyOf } from '../model/address.ts'
import { CommandError, type Exec } from './exec.ts'

/** Undefined: it cannot be told, as without the program. */
export async function hasRoute(address: Address, exec: Exec): Promise<boolean | undefined> {
  const argv = ['ip', familyOf(address) === 'IPv4' ? '-4' : '-6', 'route', 'get', address]
  return exec({ argv }).then(
    ({ stdout }) => !/^(unreachable|blackhole|prohibit|throw) /.test(stdout),
    (error: unknown) => (error instanceof CommandError && saysNoRoute(error.stderr) ? false : undefined),
  )
}

/** ENETUNREACH, EHOSTUNREACH, EACCES of `prohibit`, EINVAL of `blackhole`. */
function saysNoRoute(stderr: string): boolean {
  return /RTNETLINK answers: (Network is unreachable|No route to host|Permission denied|Invalid argument)/.test(stderr)
}
