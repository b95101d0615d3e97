// The recorded scenarios of test/golden as values: objects decoded by the real decoder, settings by the real configuration.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Address } from '../../src/model/address.ts'
import { type NodeFacts, nodeFacts, type TrafficSettings } from '../../src/model/node.ts'
import type { ClusterObject, EndpointSlice, Node, Service, ServiceKey } from '../../src/model/objects.ts'
import { serviceKey } from '../../src/model/objects.ts'
import { decodeObject, expandList } from '../../src/source/decode.ts'
import type { ClusterView } from '../../src/sync/decisions.ts'

export const goldenFolder = join(import.meta.dirname, '../golden')

export interface Scenario {
  readonly name: string
  readonly cluster: ClusterView
  readonly node: NodeFacts
  readonly settings: TrafficSettings
  /** What kube-proxy programmed, as iptables-save printed it; undefined where the scenario was not run in that mode. */
  golden(file: string): string | undefined
}

export function scenarioNames(): readonly string[] {
  return readdirSync(goldenFolder, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => entry.name)
}

/** The scenarios that were recorded in iptables mode. */
export function iptablesScenarioNames(): readonly string[] {
  return scenarioNames().filter(name => readdirSync(join(goldenFolder, name)).includes('iptables.ipv4.nat'))
}

export function decodeAll(yaml: string): readonly ClusterObject[] {
  return parseAllDocuments(yaml)
    .flatMap(document => expandList(document.toJS()))
    .flatMap(({ value, type }) => {
      const result = decodeObject(value, type)
      if (result.outcome === 'refused') throw new Error(`${result.name}: ${result.error.path}`)
      return result.outcome === 'decoded' ? [result.object] : []
    })
}

/** A cluster that never changes. */
export function clusterOf(objects: readonly ClusterObject[]): ClusterView {
  const services = objects.filter((object): object is Service => object.kind === 'Service')
  const byKey = new Map(services.map(service => [serviceKey(service.namespace, service.name), service]))
  const slices = Map.groupBy(
    objects.filter((object): object is EndpointSlice => object.kind === 'EndpointSlice'),
    slice => slice.service,
  )
  return {
    service: (key: ServiceKey) => byKey.get(key),
    slices: key => (slices.get(key) ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    services: () => services,
  }
}

export const goldenInterfaceAddresses = ['127.0.0.1', '::1', '10.200.1.2', 'fd00:200:1::2'] as Address[]
