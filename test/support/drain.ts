// A real server that drains, as a mode lists it.
import type { ServiceKey } from '../../src/model/objects.ts'
import type { Drain } from '../../src/modes/mode.ts'

export function drain(fields: Partial<Drain> = {}): Drain {
  return {
    server: '-t 10.96.0.10:80',
    realServer: '10.244.1.1:8080',
    service: 'default/web' as ServiceKey,
    since: Date.parse('2026-08-02T12:00:00Z'),
    goneSince: undefined,
    until: Date.parse('2026-08-02T12:15:00Z'),
    connections: undefined,
    ...fields,
  }
}
