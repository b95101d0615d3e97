// Waits for a condition, not for a time. The deadline only ends a test that would hang.
import { AssertionError } from 'node:assert'

export async function until(condition: () => boolean, what: () => string, deadlineMs = 30_000): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!condition()) {
    if (performance.now() > end) throw new AssertionError({ message: `after ${deadlineMs} ms still not so: ${what()}` })
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
