// What drains is written down, so that a restart does not begin its time anew.

import type { DrainRecord, State, StateFile } from '../kernel/state-file.ts'
import type { IpFamily } from '../model/address.ts'
import { type Drain, drainKey, type EarlierDrains } from '../modes/mode.ts'
import type { SyncEmitter } from '../sync/events.ts'

/** Gives what a former process wrote. */
export function keepDrains({ events, state }: { readonly events: SyncEmitter; readonly state: StateFile }): EarlierDrains {
  const earlier = drainsIn(state.state)
  const lists = new Map<string, readonly DrainRecord[]>()
  events.on('draining', ({ family, retiring, drains }) => {
    lists.set(
      `${family} ${retiring}`,
      drains.map(drain => recordOf(family, drain)),
    )
    void state.update({ drains: [...lists.values()].flat() })
  })
  return earlier
}

export function drainsIn({ drains }: Pick<State, 'drains'>): EarlierDrains {
  return new Map(
    drains.map(({ virtualServer, realServer, since, gone, until }) => [
      drainKey({ server: virtualServer, realServer }),
      { since, goneSince: gone, until },
    ]),
  )
}

function recordOf(family: IpFamily, drain: Pick<Drain, 'server' | 'realServer' | 'since' | 'goneSince' | 'until'>): DrainRecord {
  const { server: virtualServer, realServer, since, goneSince, until } = drain
  return { family, virtualServer, realServer, since, ...(goneSince !== undefined && { gone: goneSince }), until }
}
