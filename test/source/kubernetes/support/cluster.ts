// A small cluster and changes of every kind to it.
import type { ApiObject, ApiServer } from '../../../support/apiserver/index.ts'
import { nodeName } from './follow.ts'
import { endpointSlice, node, service } from './objects.ts'

export function cluster(): readonly ApiObject[] {
  const names = Array.from({ length: 20 }, (_, index) => `web-${index}`)
  return [
    node(nodeName),
    node('node-2'),
    ...names.map(name => service(name)),
    ...names.map(name => endpointSlice(`${name}-a`, { service: name })),
  ]
}

let round = 0

/** Eight changes: objects are added, modified, deleted, and one is recreated under its name. Each time others. */
export function change(server: ApiServer): void {
  round += 1
  const unique = `round-${round}`
  server.put(service(unique))
  server.put(endpointSlice(unique, { addresses: ['10.244.1.1'] }))
  server.put(service('web-1', { port: 1000 + round }))
  server.put(endpointSlice('web-1-a', { service: 'web-1', addresses: [`10.244.2.${round % 250}`] }))
  server.remove(service(`web-${2 + (round % 10)}`))
  server.remove(service('web-0'))
  server.put(service('web-0', { port: 1000 + round }))
  server.put(node(nodeName, `192.0.2.${2 + (round % 250)}`))
}
