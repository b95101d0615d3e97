// The recorded scenarios of test/golden as values: objects decoded by the real decoder, settings by the real configuration.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments, stringify } from 'yaml'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatProblem } from '../../src/config/problem.ts'
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
  /** The whole configuration, of which `settings` are a part. */
  readonly config: Config
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

/** The scenarios that were recorded in IPVS mode. */
export function ipvsScenarioNames(): readonly string[] {
  return scenarioNames().filter(name => readdirSync(join(goldenFolder, name)).includes('ipvs.services'))
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

export function loadScenario(name: string): Scenario {
  const read = (...path: readonly string[]): string => readFileSync(join(goldenFolder, ...path), 'utf8')
  const objects = [...decodeAll(read('cluster.yaml')), ...decodeAll(read(name, 'objects.yaml'))]
  const node = objects.find((object): object is Node => object.kind === 'Node')
  const config = configOf(read(name, 'config.yaml'))
  return {
    name,
    cluster: clusterOf(objects),
    node: nodeFacts('node1', node, goldenInterfaceAddresses),
    settings: config.traffic,
    config,
    golden: file => (readdirSync(join(goldenFolder, name)).includes(file) ? read(name, file) : undefined),
  }
}

/** The base configuration of test/golden/README.md with what the scenario changes, through the real loader. */
function configOf(changes: string): Config {
  const base = { hostnameOverride: 'node1', clusterCIDR: '10.244.0.0/16,fd00:10:244::/56' }
  const document = { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', ...base, ...parse(changes) }
  const readFile = (path: string): string => {
    if (path === 'config.yaml') return stringify(document)
    throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
  }
  const { config, errors } = loadConfig({ flags: { config: 'config.yaml' }, readFile, hostname: 'ignored' })
  if (config === undefined) throw new Error(errors.map(formatProblem).join('; '))
  return config
}
