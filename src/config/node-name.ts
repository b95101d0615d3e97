// The name of this Node, as kube-proxy finds it: the override, else the host's name, without blanks around it, in lower case.

export type NodeName = { readonly name: string } | { readonly problem: string; readonly advice: string }

/** A DNS subdomain as Kubernetes checks it (RFC 1123; the length of a single label is not checked there). */
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const longest = 253

export function nodeName(override: string, hostname: string): NodeName {
  const chosen = override === '' ? hostname : override
  const name = chosen.trim().toLowerCase()
  if (name.length <= longest && subdomain.test(name)) return { name }
  return {
    problem: `${JSON.stringify(chosen)} is not the name of a Node`,
    advice: `allowed: letters, digits, - and ., each part beginning and ending with a letter or digit, ${longest} characters at most`,
  }
}
