// A flow → boxes, lines and labels with their places. Pure: widths come from the number of characters.
import type { Client, Flow, FlowEndpoint, Outcome } from './flow.ts'
import { percent, plain, shortened } from './text.ts'

export interface Box {
  readonly kind: 'client' | 'address' | 'outcome' | 'bad outcome' | 'endpoint' | 'other'
  /** Lines that touch it light up with it. */
  readonly key: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly title: string
  readonly lines: readonly string[]
  /** All of it, where something was shortened. */
  readonly full: string
}

export interface Line {
  readonly keys: readonly string[]
  readonly path: string
  readonly kind: 'way' | 'bad way'
  /** For the width of the line: 0 to 1. */
  readonly share: number
}

export interface Label {
  readonly x: number
  readonly y: number
  readonly text: string
  readonly anchor: 'start' | 'middle' | 'end'
  readonly kind: 'heading' | 'share' | 'who' | 'note'
  readonly keys: readonly string[]
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[]
  readonly lines: readonly Line[]
  readonly labels: readonly Label[]
}

export const mostDrawn = 24

const clientTitles: Readonly<Record<Client, readonly [string, string]>> = {
  pod: ['Pods', 'in the cluster'],
  node: ['This node', 'its processes'],
  outside: ['Outside', 'other machines'],
}
const outcomeTitles: Readonly<Record<Outcome, readonly [string, string]>> = {
  Cluster: ['Cluster', 'any endpoint'],
  Local: ['Local', 'only on this node'],
  refused: ['✕ refused', 'at once'],
  dropped: ['✕ dropped', 'no answer'],
  untouched: ['✕ not taken', 'by any rule'],
}
const clientWords: Readonly<Record<Client, string>> = { pod: 'pods', node: 'node', outside: 'outside' }

const characterWidth = 7.3
export const boxHeight = (lines: number): number => 28 + 15 * lines
const gap = 12
const top = 30

export interface Draft {
  readonly kind: Box['kind']
  readonly key: string
  readonly title: string
  readonly lines: readonly string[]
  /** How many lines of the picture end at its side, where that needs more room than its text. */
  readonly ends?: number
}

export function clientDraft(client: Client): Draft {
  const [title, line] = clientTitles[client]
  return { kind: 'client', key: `client ${client}`, title, lines: [line] }
}

export function outcomeDraft(outcome: Outcome): Draft {
  const [title, line] = outcomeTitles[outcome]
  return { kind: isBad(outcome) ? 'bad outcome' : 'outcome', key: `outcome ${outcome}`, title, lines: [line] }
}

export function endpointDraft({ endpoint, pod, node, local, shares, reasons }: FlowEndpoint): Draft {
  const where = node === null ? '' : local ? `${node} (here)` : node
  const who = [pod ?? '', where].filter(Boolean).join(' · ')
  return {
    kind: shares.length > 0 ? 'endpoint' : 'other',
    key: `endpoint ${endpoint}`,
    title: endpoint,
    lines: [...(who === '' ? [] : [who]), ...reasons],
    ends: shares.length,
  }
}

export function isBad(outcome: Outcome): boolean {
  return outcome !== 'Cluster' && outcome !== 'Local'
}

export function whoWords(clients: readonly Client[], all: number): string {
  return clients.length === all && all > 1 ? 'everyone' : clients.map(client => clientWords[client]).join(', ')
}

/** A draft at its place, with what fits into its width. */
export function placed(draft: Draft, at: { readonly x: number; readonly y: number; readonly width: number }): Box {
  const most = Math.floor((at.width - 20) / characterWidth)
  const small = Math.floor((at.width - 20) / (characterWidth * 0.88))
  const lines = draft.lines.map(line => shortened(plain(line), small))
  const title = shortened(plain(draft.title), most)
  const height = Math.max(boxHeight(lines.length), 10 + 22 * (draft.ends ?? 0))
  return { ...draft, ...at, height, title, lines, full: [draft.title, ...draft.lines].join(' · ') }
}

/** Side by side, from who connects to where it goes. @param width 900 or more. */
export function wideLayout(flow: Flow, width: number): Layout {
  const widths = { client: 128, address: 226, outcome: 146, endpoint: 0 }
  const gaps = [64, 118, 84]
  widths.endpoint = Math.min(
    360,
    width - widths.client - widths.address - widths.outcome - gaps.reduce((sum, each) => sum + each, 0),
  )
  const spare =
    width - widths.client - widths.address - widths.outcome - widths.endpoint - gaps.reduce((sum, each) => sum + each, 0)
  const [one = 0, two = 0, three = 0] = gaps.map(each => each + Math.max(0, spare / 3))
  const x = { client: 0, address: widths.client + one, outcome: 0, endpoint: 0 }
  x.outcome = x.address + widths.address + two
  x.endpoint = x.outcome + widths.outcome + three

  const addressDrafts = flow.addresses.map(({ address, kind, sourceRanges, fates }): Draft => {
    const ranges = sourceRanges.length === 0 ? [] : [`only from ${sourceRanges.join(', ')}`]
    return { kind: 'address', key: `address ${kind} ${address}`, title: address, lines: [kind, ...ranges], ends: fates.length }
  })
  const shown = flow.chosen.slice(0, mostDrawn)
  const left = flow.others.slice(0, mostDrawn)
  const columns = [
    stack(flow.clients.map(clientDraft), { x: x.client, width: widths.client }),
    stack(addressDrafts, { x: x.address, width: widths.address }),
    stack(flow.outcomes.map(outcomeDraft), { x: x.outcome, width: widths.outcome }),
    stack(shown.map(endpointDraft), { x: x.endpoint, width: widths.endpoint }),
  ]
  const tall = Math.max(...columns.map(({ height }) => height), 60)
  const [clients = [], addresses = [], outcomes = [], endpoints = []] = columns.map(({ boxes, height }) =>
    moved(boxes, (tall - height) / 2),
  )

  const labels: Label[] = [
    heading('Who connects', x.client),
    heading('to which address', x.address),
    heading('under which policy', x.outcome),
    heading('New connections go to', x.endpoint),
  ]
  const lines: Line[] = []
  for (const [index, { fates }] of flow.addresses.entries()) {
    const to = addresses[index]
    if (to === undefined) continue
    const whom = fates.flatMap(fate => fate.clients)
    for (const from of clients.filter(({ key }) => whom.some(client => key === `client ${client}`))) {
      lines.push({ keys: [from.key, to.key], path: curve(rightOf(from), leftOf(to)), kind: 'way', share: 0 })
    }
    for (const [turn, { outcome, clients: those }] of fates.entries()) {
      const goal = outcomes.find(({ key }) => key === `outcome ${outcome}`)
      if (goal === undefined) continue
      const begin = { x: to.x + to.width, y: to.y + (to.height * (turn + 1)) / (fates.length + 1) }
      const keys = [to.key, goal.key]
      lines.push({ keys, path: curve(begin, leftOf(goal)), kind: isBad(outcome) ? 'bad way' : 'way', share: 0 })
      labels.push({
        x: begin.x + 7,
        y: begin.y - 4,
        text: whoWords(those, flow.clients.length),
        anchor: 'start',
        kind: 'who',
        keys,
      })
    }
  }
  for (const [index, { shares }] of shown.entries()) {
    const to = endpoints[index]
    if (to === undefined) continue
    for (const [turn, { policy, share }] of shares.entries()) {
      const from = outcomes.find(({ key }) => key === `outcome ${policy}`)
      if (from === undefined) continue
      const end = { x: to.x, y: to.y + (to.height * (turn + 1)) / (shares.length + 1) }
      const keys = [from.key, to.key]
      lines.push({ keys, path: curve(rightOf(from), end), kind: 'way', share })
      labels.push({ x: end.x - 8, y: end.y + 4, text: percent(share), anchor: 'end', kind: 'share', keys })
    }
  }
  let bottom = top + tall
  const hidden = flow.chosen.length - shown.length
  if (hidden > 0) {
    labels.push({ x: x.endpoint, y: bottom + 20, text: `and ${hidden} more (below)`, anchor: 'start', kind: 'note', keys: [] })
    bottom += 26
  }
  const rest = left.length === 0 ? [] : grid(left.map(endpointDraft), { y: bottom + 52, width })
  if (left.length > 0) {
    const more = flow.others.length - left.length
    labels.push(
      heading(`Not chosen${more > 0 ? `, the first ${left.length} of ${flow.others.length}` : ''}, and why`, 0, bottom + 42),
    )
    bottom = Math.max(...rest.map(({ y, height }) => y + height))
  }
  if (shown.length === 0)
    labels.push({ x: x.endpoint, y: top + tall / 2 + 4, text: 'no endpoint', anchor: 'start', kind: 'note', keys: [] })
  return { width, height: bottom + 4, boxes: [...clients, ...addresses, ...outcomes, ...endpoints, ...rest], lines, labels }
}

function heading(text: string, x: number, y = 14): Label {
  return { x, y, text, anchor: 'start', kind: 'heading', keys: [] }
}

interface Stack {
  readonly boxes: readonly Box[]
  readonly height: number
}

function stack(drafts: readonly Draft[], { x, width }: { readonly x: number; readonly width: number }): Stack {
  let y = top
  const boxes = drafts.map(draft => {
    const box = placed(draft, { x, y, width })
    y += box.height + gap
    return box
  })
  return { boxes, height: Math.max(0, y - top - gap) }
}

/** As many side by side as fit. */
function grid(drafts: readonly Draft[], { y: start, width }: { readonly y: number; readonly width: number }): readonly Box[] {
  const across = Math.max(1, Math.floor((width + gap) / (300 + gap)))
  const each = (width - gap * (across - 1)) / across
  let y = start
  return Array.from({ length: Math.ceil(drafts.length / across) }, (_, row) => {
    const boxes = drafts
      .slice(row * across, (row + 1) * across)
      .map((draft, at) => placed(draft, { x: at * (each + gap), y, width: each }))
    y += Math.max(...boxes.map(({ height }) => height)) + gap
    return boxes
  }).flat()
}

function moved(boxes: readonly Box[], by: number): readonly Box[] {
  return boxes.map(box => ({ ...box, y: box.y + by }))
}

interface Point {
  readonly x: number
  readonly y: number
}

const rightOf = ({ x, y, width, height }: Box): Point => ({ x: x + width, y: y + height / 2 })
const leftOf = ({ x, y, height }: Box): Point => ({ x, y: y + height / 2 })

function curve(from: Point, to: Point): string {
  const middle = (from.x + to.x) / 2
  const [a, b, c, d, e] = [from.x, from.y, middle, to.x, to.y].map(value => Math.round(value * 10) / 10)
  return `M${a} ${b}C${c} ${b} ${c} ${e} ${d} ${e}`
}
