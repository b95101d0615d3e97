// Objects as an API server has them, as small as they can be.
import type { ApiObject } from '../../../support/apiserver/index.ts'

export function service(
  name: string,
  fields: { readonly clusterIP?: string; readonly port?: number; readonly labels?: Record<string, string> } = {},
): ApiObject {
  const { clusterIP = '10.96.0.1', port = 80, labels = {} } = fields
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', labels },
    spec: { clusterIP, ports: [{ port }] },
  }
}

export function endpointSlice(
  name: string,
  fields: { readonly service?: string; readonly addresses?: readonly string[]; readonly labels?: Record<string, string> } = {},
): ApiObject {
  const { addresses = ['10.244.0.1'], labels = {} } = fields
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': fields.service ?? name, ...labels } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: addresses.map(address => ({ addresses: [address], conditions: { ready: true } })),
  }
}

export function node(name: string, address = '192.0.2.1'): ApiObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { addresses: [{ type: 'InternalIP', address }] } }
}
