// For commands that look and change nothing: an Exec that feeds no tool, and starts none whose question alone would load a kernel module.
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Exec } from './exec.ts'

/** Programs that load a module when they find the kernel without it. */
const loads: Readonly<Record<string, string>> = { ipvsadm: 'ip_vs', ipset: 'ip_set' }

/**
 * What such a program would ask of a kernel without its module has an empty answer; where the program is missing too, that is said as ever.
 * @param modules where the kernel lists the modules that it holds.
 */
export function lookingExec(exec: Exec, modules = '/sys/module'): Exec {
  return async command => {
    const [tool = ''] = command.argv
    if (command.input !== undefined) throw new TypeError(`${tool} was to be fed by a command that only looks`)
    const module = loads[tool]
    const isAbsent = module !== undefined && !(await isThere(join(modules, module), constants.F_OK))
    return isAbsent && (await isOnPath(tool)) ? { stdout: '', stderr: '', milliseconds: 0 } : exec(command)
  }
}

async function isOnPath(program: string): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = await Promise.all(folders.map(folder => isThere(join(folder, program), constants.X_OK)))
  return found.includes(true)
}

function isThere(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}
