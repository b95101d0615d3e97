// Whether two decoded objects say the same: plain data of texts, numbers, lists and records.

/** Deep equality of two decoded objects, or of parts of them. */
export function sameObject(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one)) return Array.isArray(other) && sameList(one, other)
  return !Array.isArray(other) && sameRecord(one as Readonly<Record<string, unknown>>, other as Readonly<Record<string, unknown>>)
}

function sameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index += 1) {
    if (!sameObject(one[index], other[index])) return false
  }
  return true
}

function sameRecord(one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(one)
  if (names.length !== Object.keys(other).length) return false
  for (const name of names) {
    if (!Object.hasOwn(other, name) || !sameObject(one[name], other[name])) return false
  }
  return true
}
