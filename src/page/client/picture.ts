// The picture of a port, drawn: as wide as there is room, again whenever that changes.

import type { ServicePortDetail } from '../../explain/services-object.ts'
import { drawn, element } from './dom.ts'
import { type Flow, flowOf } from './flow.ts'
import { type Box, type Label, type Layout, type Line, wideLayout } from './layout.ts'
import { narrowLayout } from './narrow-layout.ts'
import { listed } from './text.ts'

const wideFrom = 900

export interface Picture {
  readonly frame: HTMLElement
  readonly show: (port: ServicePortDetail) => void
  readonly close: () => void
}

export function picture(): Picture {
  const frame = element('div', { class: 'picture' })
  let flow: Flow | undefined
  let name = ''
  let drawnWidth = 0
  const draw = (): void => {
    const width = Math.floor(frame.clientWidth)
    if (flow === undefined || width === 0) return
    drawnWidth = width
    frame.replaceChildren(
      svgOf(width >= wideFrom ? wideLayout(flow, width) : narrowLayout(flow, width), `${name}: ${words(flow)}`),
    )
  }
  const observer = new ResizeObserver(() => {
    if (Math.floor(frame.clientWidth) !== drawnWidth) draw()
  })
  observer.observe(frame)
  frame.addEventListener('pointerover', event => light(frame, keyAt(event.target)))
  frame.addEventListener('pointerleave', () => light(frame, undefined))
  return {
    frame,
    show: port => {
      flow = flowOf(port)
      name = port.name
      draw()
    },
    close: () => observer.disconnect(),
  }
}

/** For who does not see it; the tables below say all of it. */
function words({ addresses, chosen, others }: Flow): string {
  const ways = addresses.map(({ kind, address }) => `${kind} ${address}`)
  return `${listed(ways)}; ${chosen.length} endpoints get connections, ${others.length} do not. The tables below say the same.`
}

function svgOf({ width, height, boxes, lines, labels }: Layout, title: string): SVGSVGElement {
  return drawn(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': title },
    ...lines.map(lineOf),
    ...boxes.map(boxOf),
    ...labels.map(labelOf),
  )
}

/** Between new-line characters, which no key has. */
const joined = (keys: readonly string[]): string => keys.join('\n')

function lineOf({ keys, path, kind, share }: Line): SVGElement {
  return drawn('path', {
    class: kind === 'bad way' ? 'way bad' : 'way',
    d: path,
    'data-keys': joined(keys),
    'stroke-width': 1.4 + 2.2 * share,
  })
}

function boxOf({ kind, key, x, y, width, height, title, lines, full }: Box): SVGElement {
  const middle = lines.length === 0 ? height / 2 + 5 : 19
  return drawn(
    'g',
    { class: `box ${kind.replace('bad outcome', 'outcome bad')}`, 'data-keys': key },
    drawn('title', {}, full),
    drawn('rect', { x, y, width, height, rx: 6 }),
    // Cuts off what is wider than its characters let expect.
    drawn(
      'svg',
      { x, y, width: width - 4, height },
      drawn('text', { x: 10, y: middle, class: 'title' }, title),
      ...lines.map((line, index) => drawn('text', { x: 10, y: 35 + 15 * index }, line)),
    ),
  )
}

function labelOf({ x, y, text, anchor, kind, keys }: Label): SVGElement {
  return drawn('text', { x, y, class: kind, 'text-anchor': anchor, 'data-keys': joined(keys) }, text)
}

function keyAt(target: EventTarget | null): string | undefined {
  const box = target instanceof Element ? target.closest('.box') : null
  return box?.getAttribute('data-keys') ?? undefined
}

/** The lines of one box stand out. */
function light(frame: HTMLElement, key: string | undefined): void {
  frame.classList.toggle('lit', key !== undefined)
  for (const part of frame.querySelectorAll('[data-keys]')) {
    const keys = (part.getAttribute('data-keys') ?? '').split('\n')
    part.classList.toggle('on', key !== undefined && keys.includes(key))
  }
}
