// Reading and writing kernel parameters through files: the one other place besides exec.ts that changes the kernel.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Sysctl {
  /** `net.ipv4.conf.all.route_localnet`; undefined where this kernel does not have it. */
  read(name: string): Promise<string | undefined>
  /** Throws with the name, the wanted value and what to do. */
  write(name: string, value: string): Promise<void>
}

/** @param root where the parameters are: `/proc/sys`, or another mount of it that is writable. */
export function createSysctl(root: string): Sysctl {
  const pathOf = (name: string): string => join(root, ...name.split('.'))
  return {
    read: async name => {
      const text = await readFile(pathOf(name), 'utf8').catch(() => undefined)
      return text?.trim()
    },
    write: async (name, value) => {
      await writeFile(pathOf(name), value).catch((cause: unknown) => {
        const advice = `set it on the host (sysctl -w ${name}=${value}) or let the container write below ${root}`
        throw new Error(`cannot set ${name} to ${value}: ${cause instanceof Error ? cause.message : cause}; ${advice}`, { cause })
      })
    },
  }
}
