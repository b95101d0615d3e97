// While something cannot be read, what no known Service has may be its: entries and addresses that the kernel holds are wanted then as they are, and so
// the rules about them stay too. Changes Desired; virtual servers are looked at where drains are.
import type { IpFamily } from '../../model/address.ts'
import type { Change } from '../mode.ts'
import { claimAddress, claimEntry, holder } from './claims.ts'
import { setKinds, setName, setShape } from './names.ts'
import type { Desired, Observed } from './state.ts'

const unread = holder('not swept')

export function keepUnswept({ desired, observed }: Change<Desired, Observed>, family: IpFamily): void {
  for (const kind of setKinds) {
    const set = setName(kind, family)
    const held = observed.sets.get(set)
    // Of another type none would fit into ours.
    if (held?.shape.type !== setShape(kind, family).type) continue
    for (const entry of held.entries) if (!desired.sets.get(set)?.has(entry)) claimEntry(desired, unread, { set, entry })
  }
  for (const address of observed.addresses) if (!desired.addresses.has(address)) claimAddress(desired, unread, address)
}
