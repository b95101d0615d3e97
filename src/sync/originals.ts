// The values that kernel parameters had before we changed them, and how they are put back: where a setting is switched off, where a
// mode is left, and in cleanup.
// Takes the state file and the parameters, gives what was put back and what was not.
// Invariant: only a value that we set is undone; what somebody else chose since then stays.
import type { ParameterRecord, StateFile } from '../kernel/state-file.ts'
import type { Sysctl } from '../kernel/sysctl.ts'

export interface Originals {
  names(): readonly string[]
  of(name: string): ParameterRecord | undefined
  /** Before the write: the first `from` of a name is kept, whatever follows. */
  record(name: string, change: { readonly from: string; readonly to: string }): Promise<void>
  forget(name: string): Promise<void>
}

export function originalsIn(file: StateFile): Originals {
  const write = (sysctls: Readonly<Record<string, ParameterRecord>>): Promise<void> => file.update({ sysctls })
  return {
    names: () => Object.keys(file.state.sysctls),
    of: name => (Object.hasOwn(file.state.sysctls, name) ? file.state.sysctls[name] : undefined),
    record: async (name, { from, to }) => {
      const known = file.state.sysctls[name]
      if (known?.set === to) return
      const before = known?.before ?? from
      await write({ ...file.state.sysctls, [name]: { before, set: to } })
    },
    forget: async name => {
      const { [name]: known, ...others } = file.state.sysctls
      if (known !== undefined) await write(others)
    },
  }
}

export interface Restoration {
  readonly name: string
  readonly outcome: 'restored' | 'left' | 'failed'
  /** For people: what was done, or why not. */
  readonly message: string
}

/** Switched on for us, and used by all since: nobody can tell who would miss it. */
const forwarding = 'net.ipv4.ip_forward'

/**
 * Puts back the recorded ones of `names`, one after the other. What is done with is forgotten, except in a dry run, which only says
 * what would come.
 */
export async function restoreOriginals(options: {
  readonly names: readonly string[]
  readonly originals: Originals
  readonly sysctl: Sysctl
  readonly dryRun?: boolean
}): Promise<readonly Restoration[]> {
  const { names, originals, sysctl, dryRun = false } = options
  const restorations: Restoration[] = []
  for (const name of names) {
    const record = originals.of(name)
    if (record === undefined) continue
    const restoration = await restore({ name, record, sysctl, dryRun })
    if (restoration !== undefined) restorations.push(restoration)
    if (restoration?.outcome !== 'failed' && !dryRun) await originals.forget(name)
  }
  return restorations
}

/** Undefined where there is nothing to say: the value is what it was, or the parameter went with its module. */
async function restore(options: {
  readonly name: string
  readonly record: ParameterRecord
  readonly sysctl: Sysctl
  readonly dryRun: boolean
}): Promise<Restoration | undefined> {
  const { name, record, sysctl, dryRun } = options
  const { before, set } = record
  const now = await sysctl.read(name)
  if (now === undefined || now === before) return undefined
  if (now !== set) {
    return { name, outcome: 'left', message: `${name} stays ${now}, which somebody else set (before Switchyard: ${before})` }
  }
  if (name === forwarding) {
    const reason = "the pods' own network needs it too"
    return { name, outcome: 'left', message: `${name} stays ${now}: ${reason} (sysctl -w ${name}=${before} puts it back)` }
  }
  try {
    if (!dryRun) await sysctl.write(name, before)
    return { name, outcome: 'restored', message: `${name}: ${now} -> ${before}, as it was before Switchyard` }
  } catch (error) {
    return { name, outcome: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}
