// What a ClusterRole allows, and what was asked of an API server, in the same words: `list services`, `create events.events.k8s.io`
// (the resource as `kubectl auth can-i` writes it). Pure.
import type { Manifest } from './kustomize.ts'

/** What matters of a recorded request. */
export interface AskedRequest {
  readonly verb: string
  readonly group: string
  readonly resource: string
}

export interface Comparison {
  /** Asked, and not allowed: a 403 in a real cluster. */
  readonly missing: readonly string[]
  /** Allowed, and never asked: more than the least privilege. */
  readonly extra: readonly string[]
}

export function compare(role: Manifest, requests: readonly AskedRequest[]): Comparison {
  const allowed = permissionsOf(role)
  const asked = new Set(requests.map(inWords))
  return {
    missing: [...asked.difference(allowed)].toSorted(),
    extra: [...allowed.difference(asked)].toSorted(),
  }
}

/** Throws for what is more than a plain list of verbs on resources: wildcards, resource names, URLs. */
export function permissionsOf({ metadata, rules }: Manifest): ReadonlySet<string> {
  if (!Array.isArray(rules)) throw new TypeError(`ClusterRole ${metadata.name} has no rules`)
  return new Set(rules.flatMap(rule => permissionsOfRule(rule as Record<string, unknown>, metadata.name)))
}

function permissionsOfRule(rule: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const { apiGroups, resources, verbs, ...others } = rule
  const more = Object.keys(others)
  if (more.length > 0) throw new TypeError(`a rule of ClusterRole ${name} has ${more.join(', ')}: nothing here can compare that`)
  const all = [words(apiGroups), words(resources), words(verbs)] as const
  if (all.flat().includes('*')) throw new TypeError(`a rule of ClusterRole ${name} allows everything of something`)
  const [groups, plurals, allowed] = all
  return groups.flatMap(group => plurals.flatMap(resource => allowed.map(verb => inWords({ verb, group, resource }))))
}

function words(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function inWords({ verb, group, resource }: AskedRequest): string {
  return `${verb} ${group === '' ? resource : `${resource}.${group}`}`
}
