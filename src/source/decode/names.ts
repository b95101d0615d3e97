// Which texts are names in Kubernetes (RFC 1123): the guard that keeps blanks, quotes and newlines out of rules.
import type { ObjectName } from '../../model/objects.ts'
import { copyText } from '../../model/text.ts'
import { refuse, show } from './problem.ts'
import { shareText } from './text.ts'

const label = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/
const subdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/
const longestLabel = 63
const longestSubdomain = 253

export const labelRule = 'a DNS label: up to 63 lower-case letters, digits and "-", with a letter or digit at both ends'
export const subdomainRule =
  'a DNS subdomain: up to 253 lower-case letters, digits, "-" and ".", with a letter or digit at both ends'

export function isLabel(text: string): text is ObjectName {
  return text.length <= longestLabel && label.test(text)
}

export function isSubdomain(text: string): text is ObjectName {
  return text.length <= longestSubdomain && subdomain.test(text)
}

/** The name of an object that must be a DNS label: Services (RFC 1035 or 1123) and namespaces. */
export function labelAt(value: unknown, path: string): ObjectName {
  if (typeof value === 'string' && isLabel(value)) return copyText(value)
  return refuse({ path, seen: show(value), expected: labelRule, advice: 'Set a name that the API server would accept.' })
}

/** The name of an object that may be a DNS subdomain: EndpointSlices and Nodes. */
export function subdomainAt(value: unknown, path: string): ObjectName {
  if (typeof value === 'string' && isSubdomain(value)) return copyText(value)
  return refuse({ path, seen: show(value), expected: subdomainRule, advice: 'Set a name that the API server would accept.' })
}

/** The name of a port, empty where it is absent. */
export function portNameAt(value: unknown, path: string): string {
  if (value === undefined || value === null || value === '') return ''
  if (typeof value === 'string' && isLabel(value)) return shareText(value)
  return refuse({
    path,
    seen: show(value),
    expected: labelRule,
    advice: 'Rename the port, alike in the Service and its EndpointSlices.',
  })
}
