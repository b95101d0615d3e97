// The cases of test/cases: each a small cluster and what packets do in it. Decoded strictly; errors name the file.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { decodeFlows, type Flow, type ProxyMode } from './flow.ts'

export interface Case {
  readonly name: string
  /** All objects of the cluster as YAML documents, the nodes included. */
  readonly objects: string
  /** Fields of KubeProxyConfiguration that differ from the lab's; undefined where none does. */
  readonly config: Readonly<Record<string, unknown>> | undefined
  readonly flows: readonly Flow[]
}

const folder = new URL('../../cases/', import.meta.url)

export function caseNames(): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => entry.name)
    .sort()
}

/** Every case as `mode` is to behave in it, those without a configuration of their own first: they share one running proxy. */
export function loadCases(mode: ProxyMode): readonly Case[] {
  const cases = caseNames().map(name => loadCase(name, mode))
  return [...cases.filter(each => each.config === undefined), ...cases.filter(each => each.config !== undefined)]
}

/** The text of one file of a case: `objects.yaml`, `flows.yaml` or `config.yaml`; undefined where it is absent. */
export function readCaseFile(name: string, file: string): string | undefined {
  const path = new URL(`${name}/${file}`, folder)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

function loadCase(name: string, mode: ProxyMode): Case {
  const config = readCaseFile(name, 'config.yaml')
  return {
    name,
    objects: `${readFileSync(new URL('cluster.yaml', folder), 'utf8')}\n---\n${required(name, 'objects.yaml')}`,
    // The proxy decodes the configuration itself; here it is only carried over.
    config: config === undefined ? undefined : (parse(config) as Readonly<Record<string, unknown>>),
    flows: named(name, 'flows.yaml', () => decodeFlows(parse(required(name, 'flows.yaml')), mode)),
  }
}

function required(name: string, file: string): string {
  const text = readCaseFile(name, file)
  if (text === undefined) throw new Error(`test/cases/${name}: ${file} is missing; every case has objects and flows`)
  return text
}

function named<T>(name: string, file: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw new Error(`test/cases/${name}/${file}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}
