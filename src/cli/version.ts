// The version, from package.json or, in the bundle, put in by the build.
import { readFileSync } from 'node:fs'

declare const SWITCHYARD_VERSION: string | undefined

export function version(): string {
  if (typeof SWITCHYARD_VERSION === 'string') return SWITCHYARD_VERSION
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown'
}
