// Amounts of things, in words for people.

/** `1 Service`, `2 Services`; where the plural is another: `count(2, 'address', 'addresses')`. */
export function count(amount: number, what: string, many = `${what}s`): string {
  return `${amount} ${amount === 1 ? what : many}`
}
