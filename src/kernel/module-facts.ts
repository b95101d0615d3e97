// Which kernel modules this kernel has: by what it holds now, and by the lists that depmod(8) made of its module folder, or by what it was built with.
// Takes folders, gives facts, and from facts a verdict with three answers; loads nothing.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type KernelOptions, optionOf, readKernelOptions } from './kernel-options.ts'

export type Verdict =
  | { readonly answer: 'supported' }
  | { readonly answer: 'could not tell'; readonly reason: string }
  | { readonly answer: 'unsupported'; readonly reason: string }

export interface ModuleFacts {
  /** The kernel holds them now: loaded, or built in with parameters of their own. */
  readonly present: ReadonlySet<string>
  /** Built in, and those whose files are there; undefined where the module folder of this kernel is not visible, as in a container. */
  readonly available: ReadonlySet<string> | undefined
  readonly folder: string
  /** kernel.modules_disabled: what is not loaded by now never will be. */
  readonly loadingDisabled: boolean
  /** What the kernel was built with; undefined where that is not to be seen. */
  readonly options: KernelOptions | undefined
}

/** @param host.root below which /proc, /sys and /lib/modules are; `host.release` as `uname -r` prints it. */
export async function readModuleFacts(host: { readonly root: string; readonly release: string }): Promise<ModuleFacts> {
  const { root, release } = host
  const folder = `/lib/modules/${release}`
  const read = (path: string): Promise<string | undefined> => readFile(join(root, path), 'utf8').catch(() => undefined)
  const inSys = await readdir(join(root, '/sys/module')).catch(() => [])
  const loaded = namesIn(await read('/proc/modules'))
  const [builtIn, loadable] = [await read(`${folder}/modules.builtin`), await read(`${folder}/modules.dep`)]
  return {
    present: new Set([...loaded, ...inSys.map(canonical)]),
    available: loadable === undefined ? undefined : new Set([...filesIn(builtIn), ...filesIn(loadable)]),
    folder,
    loadingDisabled: (await read('/proc/sys/kernel/modules_disabled'))?.trim() === '1',
    options: await readKernelOptions(host),
  }
}

/**
 * Without trying it. A process that may load no module still gets one that it needs: the kernel itself loads ip_vs_mh, a set type or
 * the dummy link when they are first asked for.
 */
export function verdictOf(name: string, { present, available, folder, loadingDisabled, options }: ModuleFacts): Verdict {
  if (present.has(name)) return { answer: 'supported' }
  if (available === undefined && options !== undefined) {
    const chosen = options.chosen.get(optionOf(name))
    if (chosen === 'built in') return { answer: 'supported' }
    if (chosen === undefined) return { answer: 'unsupported', reason: `not chosen in ${options.path}` }
  }
  if (available === undefined) return { answer: 'could not tell', reason: `${folder}/modules.dep cannot be read here` }
  if (!available.has(name)) return { answer: 'unsupported', reason: `${folder} has no such module` }
  if (loadingDisabled) return { answer: 'unsupported', reason: 'kernel.modules_disabled forbids loading it' }
  return { answer: 'supported' }
}

/** `ip_vs 192512 6 ip_vs_rr,ip_vs_sh, Live 0x0000000000000000` */
function namesIn(modules: string | undefined): readonly string[] {
  return (modules ?? '').split('\n').flatMap(line => line.split(' ')[0] || [])
}

/** `kernel/net/netfilter/ipvs/ip_vs_mh.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz ...`, or the path alone. */
function filesIn(list: string | undefined): readonly string[] {
  return Array.from((list ?? '').matchAll(/^(?:[^:\n]*\/)?([^/:\n]+)\.ko(?:\.\w+)?(?::|$)/gm), ([, name = '']) => canonical(name))
}

/** Files may be spelt with `-` where the kernel says `_`. */
function canonical(name: string): string {
  return name.replaceAll('-', '_')
}
