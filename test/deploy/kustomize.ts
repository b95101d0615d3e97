// deploy/'s kustomizations as the objects that kubectl would send. Takes a folder below deploy/, gives what each kubectl at hand makes
// of it: the old one that test/support/debian-program keeps, and the one on the PATH where there is one.
import { join } from 'node:path'
import { execa } from 'execa'
import { parseAllDocuments } from 'yaml'

export const deployFolder = join(import.meta.dirname, '../../deploy')

export interface Kubectl {
  readonly path: string
  /** `v1.20.2`. */
  readonly version: string
}

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [field: string]: unknown
}

let atHand: Promise<readonly Kubectl[]> | undefined

/** The old one first. Throws where it is not there and cannot be fetched. */
export function kubectls(): Promise<readonly Kubectl[]> {
  atHand ??= findKubectls()
  return atHand
}

async function findKubectls(): Promise<readonly Kubectl[]> {
  const debian = await execa(join(import.meta.dirname, '../support/debian-program'), ['kubernetes-client', 'usr/bin/kubectl'])
  const found = await Promise.all([debian.stdout, 'kubectl'].map(describe))
  return found.filter(kubectl => kubectl !== undefined)
}

async function describe(path: string): Promise<Kubectl | undefined> {
  const { stdout } = await execa(path, ['version', '--client', '--output=json'], { reject: false })
  const version = /"gitVersion": "([^"]+)"/.exec(stdout ?? '')?.[1]
  return version === undefined ? undefined : { path, version }
}

/** As text, for what works on text. */
export async function buildText(kubectl: Kubectl, folder: string): Promise<string> {
  const { stdout } = await execa(kubectl.path, ['kustomize', join(deployFolder, folder)])
  return stdout
}

export async function buildWith(kubectl: Kubectl, folder: string): Promise<readonly Manifest[]> {
  return parseAllDocuments(await buildText(kubectl, folder)).map(document => {
    if (document.errors[0] !== undefined) throw document.errors[0]
    const object: unknown = document.toJS()
    if (!isManifest(object)) throw new Error(`kubectl kustomize ${folder} made an object without a name: ${String(document)}`)
    return object
  })
}

const built = new Map<string, Promise<readonly Manifest[]>>()

/** With the first kubectl, once; a test of its own says that they all agree. The objects are shared: nobody changes them. */
export function build(folder: string): Promise<readonly Manifest[]> {
  const objects = built.get(folder) ?? kubectls().then(([first]) => (first === undefined ? [] : buildWith(first, folder)))
  built.set(folder, objects)
  return objects
}

export async function buildOne(folder: string, kind: string, name: string): Promise<Manifest> {
  const objects = await build(folder)
  const found = objects.find(object => object.kind === kind && object.metadata.name === name)
  if (found === undefined) throw new Error(`deploy/${folder} has no ${kind} ${name}`)
  return found
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null || !('metadata' in value) || !('kind' in value)) return false
  const { metadata } = value
  return typeof metadata === 'object' && metadata !== null && 'name' in metadata
}
