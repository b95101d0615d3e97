// v1 Service: raw object → Service. Fields that another field switches off (a policy, a health check port, load balancer
// addresses of another type) are decoded to "off" here, so that nobody downstream has to know the combinations.
import type { Address } from '../../model/address.ts'
import type { Service, TrafficPolicy } from '../../model/objects.ts'
import { copyText } from '../../model/text.ts'
import { familiesOf, neverForwarded, neverVirtual, usableAddresses } from './addresses.ts'
import { type ClusterIPs, decodeClusterIPs, decodeIpFamilies } from './cluster-ips.ts'
import { expectedRange, type Fields, fieldsAt, isInRange, listAt, type NumberRange, portRange, textAt, wordAt } from './fields.ts'
import { annotationsOf, hasLabel, type Identity, labelsOf } from './metadata.ts'
import { refuse, show, type Warnings } from './problem.ts'
import { decodeServicePorts } from './service-ports.ts'
import { decodeSourceRanges } from './source-ranges.ts'
import { shareText } from './text.ts'

const serviceTypes: readonly Service['type'][] = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']
const trafficPolicies: readonly TrafficPolicy[] = ['Cluster', 'Local']
const proxyNameLabel = 'service.kubernetes.io/service-proxy-name'
export const headlessLabel = 'service.kubernetes.io/headless'
const ourAnnotations = ['switchyard/', 'kube-router.io/']
const defaultAffinitySeconds = 10_800
const affinityRange: NumberRange = { least: 1, most: 86_400 }

export function decodeService(object: Fields, identity: Identity, warnings: Warnings): Service {
  const spec = fieldsAt(object['spec'], 'spec')
  const labels = labelsOf(object)
  const type = wordAt(spec['type'], 'spec.type', serviceTypes, 'ClusterIP')
  const cluster = decodeClusterIPs(spec)
  const headless = cluster.headless || hasLabel(labels, headlessLabel)
  const external = decodeExternalAddresses(object, spec, { type, warnings })
  const givenFamilies = decodeIpFamilies(spec, cluster.clusterIPs)
  const ipFamilies = [givenFamilies, familiesOf(cluster.clusterIPs), familiesOf(Object.values(external).flat())].find(
    nonEmpty,
  ) ?? ['IPv4']
  if (type !== 'ExternalName' && !headless) warnOfNoClusterIP(cluster, warnings)
  const externalTrafficPolicy = wordAt(spec['externalTrafficPolicy'], 'spec.externalTrafficPolicy', trafficPolicies, 'Cluster')
  const externallyAccessible = type === 'NodePort' || type === 'LoadBalancer' || external.externalIPs.length > 0
  return {
    kind: 'Service',
    namespace: identity.namespace,
    name: identity.name,
    uid: identity.uid,
    type,
    headless,
    serviceProxyName: decodeProxyName(labels),
    clusterIPs: cluster.clusterIPs,
    ipFamilies,
    externalIPs: external.externalIPs,
    loadBalancerAddresses: external.loadBalancerAddresses,
    loadBalancerSourceRanges:
      type === 'LoadBalancer'
        ? decodeSourceRanges(spec['loadBalancerSourceRanges'], {
            families: [...ipFamilies, ...familiesOf(external.loadBalancerAddresses)],
            warnings,
          })
        : [],
    externalTrafficPolicy: externallyAccessible ? externalTrafficPolicy : 'Cluster',
    internalTrafficPolicy: wordAt(spec['internalTrafficPolicy'], 'spec.internalTrafficPolicy', trafficPolicies, 'Cluster'),
    affinityTimeoutSeconds: decodeAffinity(spec),
    healthCheckNodePort:
      type === 'LoadBalancer' && externalTrafficPolicy === 'Local'
        ? decodeHealthCheckPort(spec['healthCheckNodePort'], warnings)
        : 0,
    ports: decodeServicePorts(spec['ports'], { type, headless, warnings }),
    annotations: decodeAnnotations(object, warnings),
  }
}

interface ExternalAddresses {
  readonly externalIPs: readonly Address[]
  readonly loadBalancerAddresses: readonly Address[]
}

interface ServiceContext {
  readonly type: Service['type']
  readonly warnings: Warnings
}

function decodeExternalAddresses(object: Fields, spec: Fields, context: ServiceContext): ExternalAddresses {
  const externalIPs = listAt(spec['externalIPs'], 'spec.externalIPs')
  return {
    externalIPs: usableAddresses({
      values: externalIPs.map((value, index) => ({ value, path: `spec.externalIPs[${index}]` })),
      refused: neverForwarded,
      warnings: context.warnings,
      advice: 'This address is left out; the others work. Correct it.',
    }),
    loadBalancerAddresses: decodeIngress(object, context),
  }
}

function decodeIngress(object: Fields, { type, warnings }: ServiceContext): readonly Address[] {
  const path = 'status.loadBalancer.ingress'
  const loadBalancer = fieldsAt(fieldsAt(object['status'], 'status')['loadBalancer'], 'status.loadBalancer')
  const ingress = listAt(loadBalancer['ingress'], path)
  if (ingress.length > 0 && type !== 'LoadBalancer') {
    const advice = 'Its addresses are not served. Set spec.type to LoadBalancer, or remove them.'
    warnings.add({ path, seen: 'set', expected: `nothing, as spec.type is ${type}`, advice })
    return []
  }
  const values = ingress.flatMap((item, index) =>
    virtualAddress(fieldsAt(item, `${path}[${index}]`), `${path}[${index}]`, warnings),
  )
  const advice = 'This address is left out; the others work. Correct it.'
  return usableAddresses({ values, refused: neverVirtual, warnings, advice })
}

/** The address of one entry; none where it is a host name or where the load balancer sends packets to the node's own address (ipMode Proxy). */
function virtualAddress(ingress: Fields, path: string, warnings: Warnings): readonly { value: unknown; path: string }[] {
  const { ip, ipMode } = ingress
  if (ip === undefined || ip === null || ip === '' || ipMode === 'Proxy') return []
  if (ipMode === undefined || ipMode === null || ipMode === '' || ipMode === 'VIP') return [{ value: ip, path: `${path}.ip` }]
  const advice = 'This address is left out; the others work. Correct the mode.'
  warnings.add({ path: `${path}.ipMode`, seen: show(ipMode), expected: 'VIP or Proxy', advice })
  return []
}

function warnOfNoClusterIP({ clusterIPs }: ClusterIPs, warnings: Warnings): void {
  if (clusterIPs.length > 0) return
  const advice = 'Its other addresses work. Set an address inside the cluster, or None for a headless Service.'
  warnings.add({ path: 'spec.clusterIP', seen: 'missing', expected: 'an address', advice })
}

function decodeProxyName(labels: Fields): string | undefined {
  const name = textAt(labels[proxyNameLabel], `metadata.labels["${proxyNameLabel}"]`)
  return name === undefined ? undefined : shareText(name)
}

function decodeAffinity(spec: Fields): number | undefined {
  if (wordAt(spec['sessionAffinity'], 'spec.sessionAffinity', ['None', 'ClientIP'], 'None') === 'None') return undefined
  const config = fieldsAt(spec['sessionAffinityConfig'], 'spec.sessionAffinityConfig')
  const seconds = fieldsAt(config['clientIP'], 'spec.sessionAffinityConfig.clientIP')['timeoutSeconds'] ?? defaultAffinitySeconds
  if (isInRange(seconds, affinityRange)) return seconds
  const path = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds'
  const advice = `Correct it, or leave it out for ${defaultAffinitySeconds} seconds.`
  return refuse({ path, seen: show(seconds), expected: expectedRange(affinityRange), advice })
}

function decodeHealthCheckPort(value: unknown, warnings: Warnings): number {
  if (value === undefined || value === null || value === 0) return 0
  if (isInRange(value, portRange)) return value
  const advice = 'No health check is answered for this Service until it is corrected; its traffic works.'
  warnings.add({ path: 'spec.healthCheckNodePort', seen: show(value), expected: expectedRange(portRange), advice })
  return 0
}

function decodeAnnotations(object: Fields, warnings: Warnings): Service['annotations'] {
  const annotations: Record<string, string> = {}
  for (const [name, value] of Object.entries(annotationsOf(object))) {
    if (!ourAnnotations.some(prefix => name.startsWith(prefix))) continue
    if (typeof value === 'string') annotations[shareText(name)] = copyText(value)
    else
      warnings.add({
        path: `metadata.annotations[${show(name)}]`,
        seen: show(value),
        expected: 'text',
        advice: 'Put the value in quotes.',
      })
  }
  return nonEmpty(Object.keys(annotations)) ? annotations : undefined
}

function nonEmpty<T>(values: readonly T[]): boolean {
  return values.length > 0
}
