// What the daemon tells when it is asked.

export type Answer<T> = { readonly value: T } | { readonly problem: string }

/** Never rejects but where the signal aborts it. */
export async function ask<T>(path: string, query: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Answer<T>> {
  try {
    const response = await fetch(`${path}?${new URLSearchParams(query)}`, signal === undefined ? {} : { signal })
    const text = await response.text()
    return response.ok ? { value: JSON.parse(text) as T } : { problem: problemIn(text) || `HTTP ${response.status}` }
  } catch (error) {
    if (signal?.aborted === true) throw error
    return { problem: 'The daemon does not answer.' }
  }
}

/** A refusal is text, or an object with a message. */
function problemIn(text: string): string {
  try {
    const object: unknown = JSON.parse(text)
    if (typeof object === 'object' && object !== null) {
      const { message, problem } = object as { readonly message?: unknown; readonly problem?: unknown }
      return String(message ?? problem ?? text)
    }
  } catch {
    // It is text.
  }
  return text.trim()
}
