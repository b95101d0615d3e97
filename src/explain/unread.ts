// What is said of objects that exist and cannot be read, where somebody asks for one of them. Pure.
import { type Service, serviceKey } from '../model/objects.ts'
import type { Unread } from '../source/source.ts'

/** An object or a file, as those who read along are told of it. */
export interface UnreadObject {
  /** `/etc/switchyard/web.yaml: Service default/web`. */
  readonly where: string
  readonly problem: string
  /** Whether its last good version is in force; else nothing of it is. */
  readonly kept: boolean
}

const kind = 'Service '

/** Why a Service is not known, in words: there is none, or it cannot be read. @param none what to say where there is none. */
export function noService(
  { namespace, name }: { readonly namespace: string | undefined; readonly name: string },
  { unread, none }: { readonly unread: readonly Unread[]; readonly none: string },
): string {
  const own = unread.find(({ id }) =>
    namespace === undefined ? id?.startsWith(kind) && id.endsWith(`/${name}`) : id === `${kind}${namespace}/${name}`,
  )
  if (own !== undefined) return `${own.where} cannot be read: ${own.problem}`
  const nameless = unread.find(({ id, kept }) => id === undefined && !kept)
  return nameless === undefined ? none : `${none}; but ${nameless.where} cannot be read, and it may be there: ${nameless.problem}`
}

/** Of a Service whose last good version is in force, since it cannot be read as it is now. */
export function staleness({ namespace, name }: Service, unread: readonly Unread[]): readonly string[] {
  const id = `${kind}${serviceKey(namespace, name)}`
  return unread
    .filter(each => each.id === id && each.kept)
    .map(({ where, problem }) => `its last good version is in force: ${where} cannot be read as it is now: ${problem}`)
}
