// The status object → what keeps the node from being as it should be, a line each. Pure.
import type { UnreadObject } from '../explain/unread.ts'
import type { FamilyStatus, ParameterStatus, SettingStatus, Status } from '../server/status-object.ts'

/** As they came: with whatever control characters somebody else's words hold. */
export function statusProblems({ missing, families, parameters = [], source, notInForce = [] }: Status): readonly string[] {
  return [
    ...missing,
    ...families.flatMap(failing),
    ...notInForce.map(setting),
    ...parameters.map(parameter),
    ...(source.unread ?? []).map(unreadObject),
    ...(source.unreadable
      ? ['something cannot be read and has no earlier version: nothing stale is removed, since it may be its (the log names all)']
      : []),
  ]
}

function failing({ family, failures, lastFailure }: FamilyStatus): readonly string[] {
  const times = failures === 1 ? 'once' : `${failures} times in a row`
  return failures === 0 ? [] : [`${family}: failed ${times}: ${lastFailure ?? ''}`]
}

function setting({ field, inFile, inForce, reason }: SettingStatus): string {
  return field === null
    ? `the changed configuration is refused, the old one stays in force: ${reason}`
    : `${field} is ${inForce}, not ${inFile} as in the file: ${reason}`
}

function parameter({ name, is, expected, meaning }: ParameterStatus): string {
  return `kernel parameter ${name}: ${is ?? 'absent'}, expected ${expected}: ${meaning}`
}

function unreadObject({ where, problem, kept }: UnreadObject): string {
  return `${where} cannot be read: ${problem}; ${kept ? 'its last good version is in force' : 'nothing of it is in force'}`
}
