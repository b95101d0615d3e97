// discovery.k8s.io/v1 EndpointSlice: raw object → EndpointSlice, or the reason why no proxy uses it.
import type { IpFamily } from '../../model/address.ts'
import { type EndpointSlice, type EndpointSlicePort, serviceKey } from '../../model/objects.ts'
import { copyText } from '../../model/text.ts'
import { decodeEndpoint, type EndpointContext } from './endpoint.ts'
import { type Fields, fieldsAt, listAt, portAt, textAt } from './fields.ts'
import { annotationsOf, hasLabel, type Identity, labelsOf } from './metadata.ts'
import { isLabel, labelRule, portNameAt } from './names.ts'
import { refuse, show, type Warnings } from './problem.ts'
import type { NotFollowed } from './result.ts'
import { headlessLabel } from './service.ts'
import { protocolAt } from './service-ports.ts'

const serviceNameLabel = 'kubernetes.io/service-name'
const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

export function decodeEndpointSlice(object: Fields, identity: Identity, warnings: Warnings): EndpointSlice | NotFollowed {
  const labels = labelsOf(object)
  const reason = reasonToIgnore(object, labels)
  if (reason !== undefined) return reason
  const family = familyAt(object['addressType'])
  // Before the ports: the first warning is then the first endpoint's.
  const endpoints = decodeEndpoints(object['endpoints'], { family, warnings })
  return {
    kind: 'EndpointSlice',
    namespace: identity.namespace,
    name: identity.name,
    uid: identity.uid,
    service: copyText(serviceKey(identity.namespace, serviceNameOf(labels))),
    family,
    ports: decodePorts(object['ports'], warnings),
    endpoints,
    lastChangeTriggerTime: decodeTriggerTime(object),
  }
}

function reasonToIgnore(object: Fields, labels: Fields): NotFollowed | undefined {
  if (object['addressType'] === 'FQDN') {
    const reason = 'addressType is FQDN, and no proxy forwards to host names'
    return { notFollowed: 'object', severity: 'info', reason, advice: 'Nothing to do.' }
  }
  if (hasLabel(labels, headlessLabel)) {
    return { notFollowed: 'object', severity: 'info', reason: `label ${headlessLabel} is set`, advice: 'Nothing to do.' }
  }
  if (!hasLabel(labels, serviceNameLabel) || labels[serviceNameLabel] === '') {
    const advice = 'Set the label to the name of the Service, or leave it as it is where another program uses this slice.'
    return {
      notFollowed: 'object',
      severity: 'info',
      reason: `it has no label ${serviceNameLabel}, so it belongs to no Service`,
      advice,
    }
  }
  return undefined
}

function serviceNameOf(labels: Fields): string {
  const name = labels[serviceNameLabel]
  if (typeof name === 'string' && isLabel(name)) return name
  const path = `metadata.labels["${serviceNameLabel}"]`
  return refuse({ path, seen: show(name), expected: labelRule, advice: 'Set it to the name of the Service.' })
}

function familyAt(value: unknown): IpFamily {
  if (value === 'IPv4' || value === 'IPv6') return value
  return refuse({
    path: 'addressType',
    seen: show(value),
    expected: 'IPv4, IPv6 or FQDN',
    advice: 'Set the family of its addresses.',
  })
}

function decodePorts(value: unknown, warnings: Warnings): readonly EndpointSlicePort[] {
  const ports: EndpointSlicePort[] = []
  const names = new Set<string>()
  for (const [index, item] of listAt(value, 'ports').entries()) {
    const path = `ports[${index}]`
    const port = decodePort(fieldsAt(item, path), path, warnings)
    if (port === undefined) continue
    if (names.has(port.name)) {
      refuse({
        path: `${path}.name`,
        seen: show(port.name),
        expected: 'a name of its own',
        advice: 'Remove or rename one of the two ports.',
      })
    }
    names.add(port.name)
    ports.push(port)
  }
  return ports
}

/** Undefined for a port without a number, which means "all ports" and which no Service can forward to. */
function decodePort(port: Fields, path: string, warnings: Warnings): EndpointSlicePort | undefined {
  const name = portNameAt(port['name'], `${path}.name`)
  const protocol = protocolAt(port['protocol'], `${path}.protocol`)
  if (port['port'] === undefined || port['port'] === null) {
    warnings.add({
      path: `${path}.port`,
      seen: 'missing',
      expected: 'a port number',
      advice: 'This port is left out. Set its number.',
    })
    return undefined
  }
  return { name, protocol, port: portAt(port['port'], `${path}.port`) }
}

/** Leaves out bad endpoints with a warning; refuses the slice where none of those given is left, which is no outage that anybody meant. */
function decodeEndpoints(value: unknown, context: EndpointContext): EndpointSlice['endpoints'] {
  const items = listAt(value, 'endpoints')
  const endpoints: EndpointSlice['endpoints'][number][] = []
  for (let index = 0; index < items.length; index += 1) {
    const endpoint = decodeEndpoint(items[index], index, context)
    if (endpoint !== undefined) endpoints.push(endpoint)
  }
  const [first] = context.warnings.list()
  if (endpoints.length === 0 && items.length > 0 && first !== undefined) {
    refuse({ ...first, advice: 'No endpoint of this slice is usable, so the slice is refused. Correct them.' })
  }
  return endpoints
}

function decodeTriggerTime(object: Fields): number | undefined {
  const text = textAt(annotationsOf(object)[triggerTimeAnnotation], `metadata.annotations["${triggerTimeAnnotation}"]`)
  if (text === undefined || !/^\d{4}-\d{2}-\d{2}T/.test(text)) return undefined
  const milliseconds = Date.parse(text)
  return Number.isNaN(milliseconds) ? undefined : milliseconds
}
