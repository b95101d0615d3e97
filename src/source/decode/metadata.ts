// metadata of any object: who it is. Takes the raw object, gives a checked identity.
import type { ObjectKind, ObjectName } from '../../model/objects.ts'
import { copyText } from '../../model/text.ts'
import { type ObjectId, objectId } from '../source.ts'
import { type Fields, fieldsAt, isFields, textAt } from './fields.ts'
import { labelAt, subdomainAt } from './names.ts'
import { show } from './problem.ts'
import { shareText } from './text.ts'

export interface Identity {
  readonly id: ObjectId
  readonly namespace: ObjectName
  readonly name: ObjectName
  readonly uid: string
}

/** How objects of a kind are named: Services by labels, the others by subdomains; Nodes live in no namespace. */
export interface Naming {
  readonly kind: ObjectKind
  readonly namespaced: boolean
  readonly name: 'label' | 'subdomain'
}

const defaultNamespace = shareText('default' as ObjectName)

/** Refuses an object whose name or namespace is none. */
export function identityOf(object: Fields, naming: Naming): Identity {
  const metadata = fieldsAt(object['metadata'], 'metadata')
  const nameAt = naming.name === 'label' ? labelAt : subdomainAt
  const name = nameAt(metadata['name'], 'metadata.name')
  const given = metadata['namespace']
  const absent = !naming.namespaced || given === undefined || given === null || given === ''
  const namespace = absent ? defaultNamespace : shareText(labelAt(given, 'metadata.namespace'))
  return {
    id: objectId(naming.kind, naming.namespaced ? namespace : undefined, name),
    namespace,
    name,
    uid: copyText(textAt(metadata['uid'], 'metadata.uid') ?? ''),
  }
}

/** `Service default/web` as far as the object says, for messages about an object that may have no valid name. */
export function nameForMessages(object: Fields, kind: string): string {
  const metadata = object['metadata']
  const { name, namespace } = isFields(metadata) ? metadata : {}
  if (name === undefined || name === null) return `${bare(kind)} without a name`
  const shown = typeof name === 'string' ? bare(name) : show(name)
  return typeof namespace === 'string' ? `${bare(kind)} ${bare(namespace)}/${shown}` : `${bare(kind)} ${shown}`
}

/** metadata.labels; empty where there are none. */
export function labelsOf(object: Fields): Fields {
  return fieldsAt(fieldsAt(object['metadata'], 'metadata')['labels'], 'metadata.labels')
}

/** metadata.annotations; empty where there are none. */
export function annotationsOf(object: Fields): Fields {
  return fieldsAt(fieldsAt(object['metadata'], 'metadata')['annotations'], 'metadata.annotations')
}

export function hasLabel(labels: Fields, name: string): boolean {
  return labels[name] !== undefined && labels[name] !== null
}

function bare(text: string): string {
  return /^[\w./-]{1,253}$/.test(text) ? text : show(text)
}
