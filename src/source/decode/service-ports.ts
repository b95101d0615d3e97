// spec.ports of a Service. Refuses what would make two rules for one packet: a name, a port or a node port used twice.
import type { Protocol, Service, ServiceSpecPort } from '../../model/objects.ts'
import { expectedRange, type Fields, fieldsAt, isInRange, listAt, portAt, portRange, wordAt } from './fields.ts'
import { portNameAt } from './names.ts'
import { refuse, show, type Warnings } from './problem.ts'

const protocols: readonly Protocol[] = ['TCP', 'UDP', 'SCTP']
const path = 'spec.ports'

export interface ServicePortsContext {
  readonly type: Service['type']
  readonly headless: boolean
  readonly warnings: Warnings
}

export function protocolAt(value: unknown, at: string): Protocol {
  return wordAt(value, at, protocols, 'TCP')
}

/** At least one port, except where the Service has no virtual address (headless, ExternalName). */
export function decodeServicePorts(value: unknown, context: ServicePortsContext): readonly ServiceSpecPort[] {
  const items = listAt(value, path)
  if (items.length === 0 && !context.headless && context.type !== 'ExternalName') {
    refuse({ path, seen: 'empty', expected: 'at least one port', advice: 'List the ports of the Service.' })
  }
  const ports = items.map((item, index) => decodePort(fieldsAt(item, `${path}[${index}]`), `${path}[${index}]`, context))
  refuseMissingNames(ports)
  refuseRepeated(ports, { field: 'name', key: port => port.name })
  refuseRepeated(ports, { field: 'port', key: port => `${port.port}/${port.protocol}` })
  refuseRepeated(ports, {
    field: 'nodePort',
    key: port => (port.nodePort === 0 ? undefined : `${port.nodePort}/${port.protocol}`),
  })
  return ports
}

function decodePort(port: Fields, at: string, context: ServicePortsContext): ServiceSpecPort {
  return {
    name: portNameAt(port['name'], `${at}.name`),
    protocol: protocolAt(port['protocol'], `${at}.protocol`),
    port: portAt(port['port'], `${at}.port`),
    nodePort: decodeNodePort(port['nodePort'], `${at}.nodePort`, context),
  }
}

function decodeNodePort(value: unknown, at: string, { type, warnings }: ServicePortsContext): number {
  if (value === undefined || value === null || value === 0) return 0
  if (!isInRange(value, portRange)) {
    refuse({
      path: at,
      seen: show(value),
      expected: expectedRange(portRange),
      advice: 'Set a free port of the node, usually 30000 to 32767.',
    })
  }
  if (type === 'NodePort' || type === 'LoadBalancer') return value
  const advice = `The node port is not opened. Set spec.type to NodePort or LoadBalancer, or remove it.`
  warnings.add({ path: at, seen: show(value), expected: `none, as spec.type is ${type}`, advice })
  return 0
}

function refuseMissingNames(ports: readonly ServiceSpecPort[]): void {
  if (ports.length < 2) return
  const index = ports.findIndex(port => port.name === '')
  if (index < 0) return
  const advice = 'EndpointSlices are matched to ports by name.'
  refuse({ path: `${path}[${index}].name`, seen: 'missing', expected: 'a name, as the Service has several ports', advice })
}

interface Uniqueness {
  readonly field: 'name' | 'port' | 'nodePort'
  readonly key: (port: ServiceSpecPort) => string | undefined
}

function refuseRepeated(ports: readonly ServiceSpecPort[], { field, key }: Uniqueness): void {
  const first = new Map<string, number>()
  for (const [index, port] of ports.entries()) {
    const used = key(port)
    if (used === undefined) continue
    const other = first.get(used)
    if (other !== undefined) {
      const expected = `a value of its own; ${path}[${other}] has the same`
      refuse({ path: `${path}[${index}].${field}`, seen: show(used), expected, advice: 'Remove or change one of the two ports.' })
    }
    first.set(used, index)
  }
}
