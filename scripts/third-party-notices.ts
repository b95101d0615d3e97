// Which packages are inside a bundle → the text that their licences want to travel with it. Reads node_modules, changes nothing.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What esbuild's metafile says of an output: how many bytes of each input are in it. */
export interface BundledOutput {
  readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>
}

interface BundledPackage {
  readonly name: string
  readonly version: string
  /** An SPDX expression, as in package.json. */
  readonly license: string
  readonly texts: readonly string[]
}

const licenseFile = /^(licen[cs]e|copying|notice)(\.|-|$)/i
const ruler = '='.repeat(80)

/**
 * One section a package, by name. Throws where a package says nothing of its licence: nobody may ship it then.
 * @param root the folder that the metafile's paths start from.
 */
export async function thirdPartyNotices(root: string, outputs: readonly BundledOutput[]): Promise<string> {
  const packages = await Promise.all(bundledPackages(outputs).map(folder => readPackage(join(root, folder))))
  const byName = packages.toSorted((one, other) => compare(one.name, other.name) || compare(one.version, other.version))
  return [`Switchyard's bundle contains these packages, each under its own licence.\n`, ...byName.map(section)].join('\n')
}

/** The folders of the packages that left at least a byte in the bundle, each once. */
export function bundledPackages(outputs: readonly BundledOutput[]): readonly string[] {
  const used = outputs.flatMap(({ inputs }) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => packageFolder(path)),
  )
  return [...new Set(used.filter(folder => folder !== undefined))]
}

/** `node_modules/@scope/name/lib/a.js` → `node_modules/@scope/name`; the innermost one of nested packages. */
function packageFolder(path: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0]
}

async function readPackage(folder: string): Promise<BundledPackage> {
  const { name, version, license }: Record<string, unknown> = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  if (typeof license !== 'string' || license === '') {
    throw new Error(`${folder}/package.json names no licence: find out what it is, or leave the package out`)
  }
  const files = (await readdir(folder)).filter(file => licenseFile.test(file)).toSorted()
  const texts = await Promise.all(files.map(file => readFile(join(folder, file), 'utf8')))
  return { name: String(name), version: String(version), license, texts }
}

function section({ name, version, license, texts }: BundledPackage): string {
  const text = texts.length === 0 ? [`The package has no licence file; its package.json says: ${license}.`] : texts
  return [ruler, `${name} ${version} (${license})`, ruler, '', ...text.map(part => `${part.trim()}\n`)].join('\n')
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
