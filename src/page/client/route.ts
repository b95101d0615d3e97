// The part of the address behind `#`: `#/`, `#/service/default/web`, `#/trace?from=outside&to=10.96.0.1:80/TCP`.

export type Route =
  | { readonly view: 'overview' }
  | { readonly view: 'service'; readonly service: string }
  | { readonly view: 'trace'; readonly from: string; readonly to: string }

export function routeOf(hash: string): Route {
  const [path = '', query = ''] = splitOnce(hash.replace(/^#/, ''), '?')
  const [, view, ...rest] = path.split('/').map(decoded)
  if (view === 'service' && rest.length === 2 && rest.every(part => part !== '')) return { view, service: rest.join('/') }
  if (view !== 'trace') return { view: 'overview' }
  const given = new URLSearchParams(query)
  return { view, from: given.get('from') ?? '', to: given.get('to') ?? '' }
}

export function serviceLink(service: string): string {
  return `#/service/${service.split('/').map(encodeURIComponent).join('/')}`
}

export function traceLink(from: string, to: string): string {
  return `#/trace?${new URLSearchParams({ from, to })}`
}

function splitOnce(text: string, at: string): readonly string[] {
  const index = text.indexOf(at)
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}

/** Whoever writes an address by hand may write nonsense. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
