// Kubernetes objects against the types of the Kubernetes API, stricter than kubectl: a field that the type does not have, a value
// of another type and a missing required field are problems. The types are those that client-node was generated with from the
// OpenAPI document of its Kubernetes release: field names and types from its attribute maps, what is required from its .d.ts files.
import { readFileSync } from 'node:fs'
import * as client from '@kubernetes/client-node'
import { podMonitorTypes } from './pod-monitor-types.ts'

export interface Attribute {
  /** As in YAML. */
  readonly name: string
  /** `string`, `number`, `boolean`, `any`, `Date`, `IntOrString`, the name of a type, `Array<...>` or `{ [key: string]: ...; }`. */
  readonly type: string
  readonly required: boolean
  /** `int32` and the like; may be empty. */
  readonly format: string
}

/** `spec.template.spec.volumes[2].hostPath.typ: DirectoryOrCreate`: path and what is wrong. */
export type Problem = string

/** Every kind that a manifest of ours may have; any other is a problem. */
const typeOfKind: Readonly<Record<string, string>> = {
  'v1 ConfigMap': 'V1ConfigMap',
  'v1 ServiceAccount': 'V1ServiceAccount',
  'apps/v1 DaemonSet': 'V1DaemonSet',
  'rbac.authorization.k8s.io/v1 ClusterRole': 'V1ClusterRole',
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': 'V1ClusterRoleBinding',
  'monitoring.coreos.com/v1 PodMonitor': 'PodMonitor',
}

export function validate(object: unknown): readonly Problem[] {
  if (!isRecord(object)) return ['the object is no mapping']
  const kind = `${object['apiVersion']} ${object['kind']}`
  const type = typeOfKind[kind]
  return type === undefined ? [`kind ${kind} is not one of ${Object.keys(typeOfKind).join(', ')}`] : check(object, type, '')
}

function check(value: unknown, type: string, path: string): readonly Problem[] {
  const element = /^Array<(.+)>$/.exec(type)?.[1]
  if (element !== undefined) return checkArray(value, element, path)
  const entry = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1]
  if (entry !== undefined) return checkMap(value, entry, path)
  const scalar = scalars[type]
  if (scalar !== undefined) return scalar(value) ? [] : [`${path}: ${JSON.stringify(value)} is no ${type}`]
  return checkObject(value, type, path)
}

const scalars: Readonly<Record<string, (value: unknown) => boolean>> = {
  any: () => true,
  string: value => typeof value === 'string',
  number: value => typeof value === 'number',
  integer: value => Number.isSafeInteger(value),
  boolean: value => typeof value === 'boolean',
  Date: value => typeof value === 'string' && !Number.isNaN(Date.parse(value)),
  IntOrString: value => typeof value === 'string' || Number.isSafeInteger(value),
}

function checkArray(value: unknown, element: string, path: string): readonly Problem[] {
  if (!Array.isArray(value)) return [`${path}: ${JSON.stringify(value)} is no list`]
  return value.flatMap((item, index) => check(item, element, `${path}[${index}]`))
}

function checkMap(value: unknown, entry: string, path: string): readonly Problem[] {
  if (!isRecord(value)) return [`${path}: ${JSON.stringify(value)} is no mapping`]
  return Object.entries(value).flatMap(([key, item]) => check(item, entry, `${path}.${key}`))
}

function checkObject(value: unknown, type: string, path: string): readonly Problem[] {
  if (!isRecord(value)) return [`${path}: ${JSON.stringify(value)} is no ${type}`]
  const attributes = attributesOf(type)
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`)
  const missing = attributes
    .filter(({ name, required }) => required && !(name in value))
    .map(({ name }) => `${at(name)}: is missing`)
  const found = Object.entries(value).flatMap(([name, item]) => {
    const attribute = attributes.find(candidate => candidate.name === name)
    if (attribute === undefined) return [`${at(name)}: ${type} has no such field`]
    return check(item, /^int\d/.test(attribute.format) ? 'integer' : attribute.type, at(name))
  })
  return [...missing, ...found]
}

const known = new Map<string, readonly Attribute[]>(Object.entries(podMonitorTypes))

function attributesOf(type: string): readonly Attribute[] {
  const attributes = known.get(type) ?? fromClient(type)
  known.set(type, attributes)
  return attributes
}

interface Model {
  getAttributeTypeMap(): readonly {
    readonly name: string
    readonly baseName: string
    readonly type: string
    readonly format: string
  }[]
}

function fromClient(type: string): readonly Attribute[] {
  const model: unknown = Object.entries(client).find(([name]) => name === type)?.[1]
  if (!isModel(model)) throw new Error(`@kubernetes/client-node has no type ${type}`)
  const declaration = readFileSync(new URL(`gen/models/${type}.d.ts`, import.meta.resolve('@kubernetes/client-node')), 'utf8')
  return model.getAttributeTypeMap().map(({ name, baseName, type: attributeType, format }) => {
    const required = declaration.includes(`    '${name}': `)
    if (!required && !declaration.includes(`    '${name}'?: `)) throw new Error(`${type}.d.ts does not declare ${name}`)
    return { name: baseName, type: attributeType, format, required }
  })
}

function isModel(value: unknown): value is Model {
  return typeof value === 'function' && 'getAttributeTypeMap' in value
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
