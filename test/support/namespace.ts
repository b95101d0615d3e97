// One empty network namespace with a name of its own; when its scope ends, it is removed with what still runs in it.
import { randomBytes } from 'node:crypto'
import { createExec } from '../../src/kernel/exec.ts'
import { removeNamespaces } from './lab/namespaces.ts'

export interface Namespace extends AsyncDisposable {
  readonly name: string
  /** What to put before a command to run it inside. */
  readonly prefix: readonly string[]
}

export async function createNamespace(purpose: string): Promise<Namespace> {
  const name = `${purpose}-${randomBytes(4).toString('hex')}`
  const exec = createExec()
  await exec({ argv: ['ip', 'netns', 'add', name] })
  return {
    name,
    // Not `ip netns exec`: it mounts a /sys for each command, which costs more than the commands do.
    prefix: ['nsenter', `--net=/run/netns/${name}`],
    [Symbol.asyncDispose]: () => removeNamespaces([name]),
  }
}
