// Elements from values. Text only ever becomes text: nothing here reads markup.
import { plain } from './text.ts'

export type Child = Node | string | undefined
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return filled(document.createElement(tag), attributes, children)
}

export function drawn<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

function filled<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, '')
    else if (value !== undefined && value !== false) made.setAttribute(name, String(value))
  }
  made.append(...children.flatMap(asNode))
  return made
}

function asNode(child: Child): readonly (Node | string)[] {
  if (child === undefined || child === '') return []
  return [typeof child === 'string' ? plain(child) : child]
}

/** Puts new children in place of the old ones; what had the focus keeps it, where its `data-key` is there again. */
export function refill(parent: Element, ...children: readonly Child[]): void {
  const focused = document.activeElement
  const key = focused !== null && parent.contains(focused) ? focused.getAttribute('data-key') : null
  parent.replaceChildren(...children.flatMap(asNode))
  if (key !== null) focusKey(parent, key)
}

/** False where nothing has that key. */
export function focusKey(parent: Element, key: string): boolean {
  const again = [...parent.querySelectorAll<HTMLElement>('[data-key]')].find(found => found.getAttribute('data-key') === key)
  again?.focus({ preventScroll: true })
  return again !== undefined
}

/** An element that the document has. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no ${id}`)
  return found
}

/** Read out by a screen reader, in its turn. */
export function say(text: string): void {
  const place = byId('say')
  if (place.textContent !== text) place.textContent = text
}

export interface Column {
  readonly title: string
  /** Numbers stand to the right. */
  readonly numeric?: boolean
}

/** @param rows a cell for each column. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Child[])[]): HTMLElement {
  const align = (index: number) => ({ class: columns[index]?.numeric === true ? 'numeric' : undefined })
  const head = columns.map(({ title }, index) => element('th', { scope: 'col', ...align(index) }, title))
  const body = rows.map(row =>
    element(
      'tr',
      {},
      ...row.map((cell, index) => element('td', { 'data-title': columns[index]?.title, ...align(index) }, cell ?? '–')),
    ),
  )
  const made = element('table', {}, element('caption', { class: 'unseen' }, caption))
  made.append(element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body))
  return element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, made)
}

/** Colour never speaks alone: the word is always there. */
export function badge(kind: 'good' | 'warn' | 'bad' | 'quiet', text: string): HTMLElement {
  return element('span', { class: `badge ${kind}` }, text)
}
