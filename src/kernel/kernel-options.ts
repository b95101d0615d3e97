// What this kernel was built with, where it tells: `CONFIG_IP_VS=m`. Looks into files and loads nothing.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export interface KernelOptions {
  /** Where it was read: `/proc/config.gz`. */
  readonly path: string
  /** Those that were chosen, without `CONFIG_`: built in, or as a module that may be installed or not. */
  readonly chosen: ReadonlyMap<string, 'built in' | 'module'>
}

/** Undefined where neither the kernel (CONFIG_IKCONFIG_PROC) nor the distribution tells, as in a container that sees no /boot. */
export async function readKernelOptions(host: {
  readonly root: string
  readonly release: string
}): Promise<KernelOptions | undefined> {
  for (const path of ['/proc/config.gz', `/boot/config-${host.release}`]) {
    const bytes = await readFile(join(host.root, path)).catch(() => undefined)
    const text = bytes === undefined ? undefined : textOf(path, bytes)
    if (text?.includes('CONFIG_')) return { path, chosen: chosenIn(text) }
  }
  return undefined
}

function textOf(path: string, bytes: Uint8Array): string | undefined {
  try {
    return Buffer.from(path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  } catch {
    return undefined
  }
}

function chosenIn(text: string): KernelOptions['chosen'] {
  const found = text.matchAll(/^CONFIG_(\w+)=([ym])$/gm)
  return new Map(Array.from(found, ([, name = '', how]) => [name, how === 'y' ? 'built in' : 'module']))
}

/** Where the option is called otherwise than its module. */
const otherNames: Readonly<Record<string, string>> = { xt_set: 'NETFILTER_XT_SET', xt_ipvs: 'NETFILTER_XT_MATCH_IPVS' }

export function optionOf(module: string): string {
  return otherNames[module] ?? module.toUpperCase()
}
