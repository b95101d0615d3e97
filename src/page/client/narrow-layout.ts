// The picture for a narrow screen: from top to bottom, and what the lines between the columns say stands in the boxes. Rails at the left lead
// from a policy to its endpoints. Pure.
import type { Flow } from './flow.ts'
import {
  type Box,
  clientDraft,
  type Draft,
  endpointDraft,
  isBad,
  type Label,
  type Layout,
  type Line,
  mostDrawn,
  outcomeDraft,
  placed,
  whoWords,
} from './layout.ts'
import { percent } from './text.ts'

const gap = 10
const rail = 14

export function narrowLayout(flow: Flow, width: number): Layout {
  const boxes: Box[] = []
  const lines: Line[] = []
  const labels: Label[] = []
  let y = 0
  const heading = (text: string): void => {
    labels.push({ x: 0, y: y + 14, text, anchor: 'start', kind: 'heading', keys: [] })
    y += 24
  }
  const row = (drafts: readonly Draft[]): readonly Box[] => {
    const each = (width - gap * (drafts.length - 1)) / Math.max(1, drafts.length)
    const made = drafts.map((draft, at) => placed(draft, { x: at * (each + gap), y, width: each }))
    boxes.push(...made)
    y += Math.max(0, ...made.map(({ height }) => height)) + gap
    return made
  }
  const skip = (by: number): void => {
    y += by
  }
  const down = (): void => {
    lines.push({ keys: [], path: `M${width / 2} ${y - gap + 2}V${y + 10}m-4 -4l4 4l4 -4`, kind: 'way', share: 0 })
    y += 16
  }

  heading('Who connects')
  row(flow.clients.map(client => ({ ...clientDraft(client), lines: [] })))
  down()
  heading('to which address, under which policy')
  for (const { address, kind, sourceRanges, fates } of flow.addresses) {
    const ways = fates.map(
      ({ outcome, clients }) => `${whoWords(clients, flow.clients.length)} → ${isBad(outcome) ? '✕ ' : ''}${outcome}`,
    )
    const ranges = sourceRanges.length === 0 ? [] : [`only from ${sourceRanges.join(', ')}`]
    row([{ kind: 'address', key: `address ${kind} ${address}`, title: address, lines: [kind, ...ranges, ...ways] }])
  }
  const policies = flow.outcomes.filter(outcome => !isBad(outcome))
  if (policies.length > 0) {
    down()
    heading('New connections go to')
    rails({ flow, width, policies, row, boxes, lines, labels, at: () => y, skip })
  }
  if (flow.others.length > 0) {
    y += 8
    heading('Not chosen, and why')
    for (const other of flow.others.slice(0, mostDrawn)) row([endpointDraft(other)])
  }
  return { width, height: y, boxes, lines, labels }
}

/** Each policy has a rail; it turns into every endpoint that it gives. */
function rails(options: {
  readonly flow: Flow
  readonly width: number
  readonly policies: Flow['outcomes']
  readonly row: (drafts: readonly Draft[]) => readonly Box[]
  readonly boxes: Box[]
  readonly lines: Line[]
  readonly labels: Label[]
  readonly at: () => number
  readonly skip: (by: number) => void
}): void {
  const { flow, width, policies, row, boxes, lines, labels, at, skip } = options
  const starts = row(policies.map(outcomeDraft))
  const indent = rail * policies.length + 8
  const shown = flow.chosen.slice(0, mostDrawn)
  for (const endpoint of shown) {
    const draft = endpointDraft(endpoint)
    const words = endpoint.shares.map(({ policy, share }) =>
      policies.length > 1 ? `${policy}: ${percent(share)}` : percent(share),
    )
    const box = placed({ ...draft, lines: [...draft.lines, words.join(' · ')] }, { x: indent, y: at(), width: width - indent })
    boxes.push(box)
    for (const { policy, share } of endpoint.shares) {
      const lane = policies.indexOf(policy)
      const start = starts[lane]
      if (start === undefined) continue
      const x = 6 + lane * rail
      const middle = box.y + 16 + lane * 12
      const begin =
        lane === 0
          ? `M${x} ${start.y + start.height}`
          : `M${start.x + 12} ${start.y + start.height}V${start.y + start.height + 5}H${x}`
      lines.push({ keys: [start.key, box.key], path: `${begin}V${middle}H${box.x}`, kind: 'way', share })
    }
    skip(box.height + gap)
  }
  const hidden = flow.chosen.length - shown.length
  const text = shown.length === 0 ? 'no endpoint' : hidden > 0 ? `and ${hidden} more (below)` : ''
  if (text === '') return
  labels.push({ x: indent, y: at() + 12, text, anchor: 'start', kind: 'note', keys: [] })
  skip(24)
}
