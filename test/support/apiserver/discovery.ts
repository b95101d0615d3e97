// What lets kubectl find its way: which groups and resources there are, and that the server is well.
import { apiVersionOf, servedResources } from './resources.ts'

const address = [{ clientCIDR: '0.0.0.0/0', serverAddress: '' }]

/** The answer for a path; undefined where the path is none of these. */
export function discover(pathname: string): unknown {
  switch (pathname) {
    case '/version':
      return { major: '1', minor: '36', gitVersion: 'v1.36.2', platform: 'linux/amd64' }
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: address }
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups() }
    default:
      return resourcesOf(pathname)
  }
}

function groups(): readonly unknown[] {
  const named = servedResources.filter(({ group }) => group !== '')
  return named.map(resource => {
    const version = { groupVersion: apiVersionOf(resource), version: resource.version }
    return { name: resource.group, versions: [version], preferredVersion: version }
  })
}

function resourcesOf(pathname: string): unknown {
  const groupVersion = pathname.replace(/^\/apis?\//, '')
  const found = servedResources.filter(resource => apiVersionOf(resource) === groupVersion)
  if (found.length === 0) return undefined
  const resources = found.map(({ plural, kind, namespaced, writable }) => ({
    name: plural,
    singularName: kind.toLowerCase(),
    namespaced,
    kind,
    verbs: ['get', 'list', 'watch', ...(writable ? ['create', 'patch'] : [])],
  }))
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }
}
