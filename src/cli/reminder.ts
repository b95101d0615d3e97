// How often a failure that goes on is worth a line.

/** After minutes, then after twice as long each time. */
export function isReminder(failures: number): boolean {
  return failures >= 8 && (failures & (failures - 1)) === 0
}
