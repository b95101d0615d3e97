// v1 Node: raw object → Node. Everything beyond its name is left out with a warning where it is wrong: a node with one bad
// address is still this node.
import { type Cidr, parseCidr } from '../../model/address.ts'
import type { Node } from '../../model/objects.ts'
import { copyText } from '../../model/text.ts'
import { usableAddresses } from './addresses.ts'
import { type Fields, fieldsAt, isFields, listAt, textAt } from './fields.ts'
import { type Identity, labelsOf } from './metadata.ts'
import { show, type Warnings } from './problem.ts'
import { rangeRule } from './source-ranges.ts'
import { shareText } from './text.ts'

const zoneLabel = 'topology.kubernetes.io/zone'
const addressTypes = ['InternalIP', 'ExternalIP']

export function decodeNode(object: Fields, identity: Identity, warnings: Warnings): Node {
  const spec = fieldsAt(object['spec'], 'spec')
  const metadata = fieldsAt(object['metadata'], 'metadata')
  const zone = textAt(labelsOf(object)[zoneLabel], `metadata.labels["${zoneLabel}"]`)
  return {
    kind: 'Node',
    name: identity.name,
    uid: identity.uid,
    zone: zone === undefined || zone === '' ? undefined : shareText(zone),
    addresses: decodeAddresses(object, warnings),
    podCidrs: decodePodCidrs(spec, warnings),
    deleting: metadata['deletionTimestamp'] !== undefined && metadata['deletionTimestamp'] !== null,
    taints: decodeTaints(spec),
  }
}

function decodeAddresses(object: Fields, warnings: Warnings): Node['addresses'] {
  const path = 'status.addresses'
  const items = listAt(fieldsAt(object['status'], 'status')['addresses'], path).map((item, index) => ({
    fields: isFields(item) ? item : {},
    path: `${path}[${index}].address`,
  }))
  return usableAddresses({
    values: addressTypes.flatMap(type =>
      items.filter(item => item.fields['type'] === type).map(item => ({ value: item.fields['address'], path: item.path })),
    ),
    refused: [],
    warnings,
    advice: 'This address of the node is not used. Correct it.',
  })
}

function decodePodCidrs(spec: Fields, warnings: Warnings): readonly Cidr[] {
  const several = listAt(spec['podCIDRs'], 'spec.podCIDRs').map((value, index) => ({ value, path: `spec.podCIDRs[${index}]` }))
  const single = spec['podCIDR']
  const given =
    several.length > 0 || single === undefined || single === null || single === ''
      ? several
      : [{ value: single, path: 'spec.podCIDR' }]
  const ranges: Cidr[] = []
  for (const { value, path } of given) {
    const range = typeof value === 'string' ? parseCidr(value) : undefined
    if (range !== undefined) ranges.push(copyText(range))
    else warnings.add({ path, seen: show(value), expected: rangeRule, advice: 'This range of pods is not used. Correct it.' })
  }
  return ranges
}

function decodeTaints(spec: Fields): readonly string[] {
  return listAt(spec['taints'], 'spec.taints').flatMap(taint =>
    isFields(taint) && typeof taint['key'] === 'string' ? [shareText(taint['key'])] : [],
  )
}
