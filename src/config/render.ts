// Settings → the text or the JSON value of their file: for --write-config-to, /configz and `switchyard config`.
// Invariant: reading the text again gives the same settings (a server that only a flag can switch off is the exception).
import { Document, isCollection, isNode } from 'yaml'
import type { Fields, Origin, SettingsOf } from './field.ts'
import type { Json } from './field-type.ts'
import { type KubeProxySettings, kubeProxyFields, kubeProxyKind } from './kube-proxy-fields.ts'
import { type SwitchyardSettings, switchyardFields, switchyardKind } from './switchyard-fields.ts'

type Origins = ReadonlyMap<string, Origin>

/** The KubeProxyConfiguration object, as the API has it: durations as Go prints them. */
export function kubeProxyObject(settings: KubeProxySettings): Json {
  return { ...kubeProxyKind, ...nested(kubeProxyFields, settings) }
}

/** The file's text; with origins, each value is followed by `# default`, `# file` or `# flag`. */
export function kubeProxyYaml(settings: KubeProxySettings, origins?: Origins): string {
  return yaml(kubeProxyObject(settings), kubeProxyFields, origins)
}

export function switchyardObject(settings: SwitchyardSettings): Json {
  return { ...switchyardKind, ...nested(switchyardFields, settings) }
}

export function switchyardYaml(settings: SwitchyardSettings, origins?: Origins): string {
  return yaml(switchyardObject(settings), switchyardFields, origins)
}

interface JsonObject {
  [key: string]: Json | JsonObject
}

/** Dotted paths become sections, in the table's order. */
function nested<F extends Fields>(fields: F, settings: SettingsOf<F>): Readonly<Record<string, Json>> {
  const root: JsonObject = {}
  for (const [path, field] of Object.entries(fields)) {
    const keys = path.split('.')
    let section = root
    for (const key of keys.slice(0, -1)) section = sectionOf(section, key)
    section[keys.at(-1) ?? path] = field.type.encode(settings[path])
  }
  return root as Readonly<Record<string, Json>>
}

function sectionOf(parent: JsonObject, key: string): JsonObject {
  const section = (parent[key] ?? {}) as JsonObject
  parent[key] = section
  return section
}

function yaml(object: Json, fields: Fields, origins: Origins | undefined): string {
  const document = new Document(object)
  for (const path of Object.keys(fields)) {
    const node = document.getIn(path.split('.'), true)
    // On one line, so that the comment stands behind its value.
    if (isCollection(node)) node.flow = true
    if (isNode(node) && origins !== undefined) node.comment = ` ${origins.get(path) ?? 'default'}`
  }
  return document.toString({ lineWidth: 0 })
}
