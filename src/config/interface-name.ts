// Names of network interfaces that may stand in an iptables rule.

/** IFNAMSIZ without the final NUL. */
const longest = 15

/** The kernel allows more; these can be neither an option (-), a negation (!), a wildcard (+) nor a second word of a rule. */
const safe = /^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/

/** What a name must be; undefined where `name` is it. A prefix has one character less: its rule needs one for the `+`. */
export function interfaceNameRule(name: string, kind: 'name' | 'prefix'): string | undefined {
  const most = kind === 'prefix' ? longest - 1 : longest
  return name.length <= most && safe.test(name) ? undefined : `1 to ${most} letters, digits and _ . @ -, not starting with . @ -`
}
