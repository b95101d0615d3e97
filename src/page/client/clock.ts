// Ages that go on while one looks. Times are the daemon's, so its clock counts: what it said the time was, and how long ago that came.
import { element } from './dom.ts'
import { span } from './text.ts'

let daemonAhead = 0

/** @param time RFC 3339, of an object that just came. */
export function setClock(time: string): void {
  daemonAhead = Date.parse(time) - Date.now()
}

/** `4 s ago`, or in future `in 3 min`; goes on by itself. */
export function since(time: string, form: 'ago' | 'for' | 'in' = 'ago'): HTMLElement {
  const made = element('time', { datetime: time, 'data-form': form, title: time })
  write(made)
  return made
}

function write(made: HTMLElement): void {
  const age = Date.now() + daemonAhead - Date.parse(made.getAttribute('datetime') ?? '')
  const form = made.getAttribute('data-form')
  const text = form === 'in' ? `in ${span(-age)}` : form === 'for' ? span(age) : `${span(age)} ago`
  if (made.textContent !== text) made.textContent = text
}

export function startClock(): void {
  window.setInterval(() => {
    for (const made of document.querySelectorAll<HTMLElement>('time[data-form]')) write(made)
  }, 1000)
}
