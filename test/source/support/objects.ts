// Raw objects for the tests of the sources, as an API server would return them.

import type { ClusterObject } from '../../../src/model/objects.ts'
import { decodeObject } from '../../../src/source/decode.ts'

export type Raw = Record<string, unknown>

export function rawService(spec: Raw = {}, more: { metadata?: Raw; status?: Raw } = {}): Raw {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-of-web', ...more.metadata },
    spec: { clusterIP: '10.96.0.7', ports: [{ port: 80 }], ...spec },
    ...(more.status === undefined ? {} : { status: more.status }),
  }
}

export function rawSlice(fields: Raw = {}, metadata: Raw = {}): Raw {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'web-abc',
      namespace: 'default',
      uid: 'uid-of-slice',
      labels: { 'kubernetes.io/service-name': 'web' },
      ...metadata,
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.1.11'] }],
    ports: [{ name: '', port: 8080 }],
    ...fields,
  }
}

export function rawNode(fields: { metadata?: Raw; spec?: Raw; status?: Raw } = {}): Raw {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node1', uid: 'uid-of-node1', ...fields.metadata },
    spec: fields.spec ?? {},
    status: fields.status ?? { addresses: [{ type: 'InternalIP', address: '10.200.1.2' }] },
  }
}

/** The decoded object; throws where the raw one is refused or ignored. */
export function decoded(raw: Raw): ClusterObject {
  const result = decodeObject(raw)
  if (result.outcome !== 'decoded') throw new Error(`not decoded: ${JSON.stringify(result)}`)
  return result.object
}
