// What would become of a packet: the form, and the answer in the order in which `switchyard trace` prints it.
import type { TraceObject } from '../../explain/trace-object.ts'
import { ask } from './ask.ts'
import { badge, type Child, element, refill, say, table } from './dom.ts'
import { serviceLink, traceLink } from './route.ts'
import { percent } from './text.ts'

export interface TraceWish {
  readonly from: string
  readonly to: string
}

const senders = ['outside', 'node', 'pod/']

/** Asks at once where both ends are given. */
export function traceView({ from, to }: TraceWish): HTMLElement {
  const fromInput = element('input', {
    id: 'trace-from',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    list: 'senders',
    'aria-describedby': 'from-help',
  })
  const toInput = element('input', {
    id: 'trace-to',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-describedby': 'to-help',
  })
  fromInput.value = from || 'outside'
  toInput.value = to
  const button = element('button', { type: 'submit', class: 'primary' }, 'Trace')
  const help = (id: string, ...words: readonly Child[]): HTMLElement => element('small', { id }, ...words)
  const code = (text: string): HTMLElement => element('code', {}, text)
  const form = element(
    'form',
    { class: 'trace-form' },
    element(
      'div',
      {},
      element('label', { for: 'trace-from' }, 'From'),
      fromInput,
      help('from-help', code('outside'), ', ', code('node'), ', ', code('pod/NAME'), ' or an address'),
    ),
    element(
      'div',
      {},
      element('label', { for: 'trace-to' }, 'To'),
      toInput,
      help('to-help', code('ADDRESS:PORT/TCP'), ' or ', code('svc/NAMESPACE/NAME:PORT')),
    ),
    button,
    element('datalist', { id: 'senders' }, ...senders.map(value => element('option', { value }))),
  )
  const answer = element('div', { class: 'answer' })
  let asking = false
  const run = async (wish: TraceWish): Promise<void> => {
    if (asking) return
    asking = true
    button.disabled = true
    answer.setAttribute('aria-busy', 'true')
    const found = await ask<TraceObject>('/switchyard/v1/trace', { from: wish.from, to: wish.to })
    refill(answer, ...('problem' in found ? [problem(found.problem)] : answerOf(found.value)))
    say('problem' in found ? found.problem : `${verdictWords(found.value)}. ${found.value.summary.join(' ')}`)
    answer.removeAttribute('aria-busy')
    button.disabled = false
    asking = false
  }
  form.addEventListener('submit', event => {
    event.preventDefault()
    const wish = { from: fromInput.value.trim(), to: toInput.value.trim() }
    // Without an event: the form stays as it is, and the address leads here again.
    history.replaceState(null, '', traceLink(wish.from, wish.to))
    void run(wish)
  })
  if (from !== '' && to !== '') void run({ from, to })
  return element('div', {}, element('section', { class: 'panel' }, form), answer)
}

function problem(text: string): HTMLElement {
  return element('section', { class: 'panel problem' }, element('h2', {}, 'No answer'), element('p', { class: 'said' }, text))
}

/** The words of the command line. */
function verdictWords({ outcome, verdict }: TraceObject): string {
  const words: string = outcome ?? verdict
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`
}

function answerOf(trace: TraceObject): readonly Child[] {
  const { verdict, summary, from, to, service, decidedBy, masquerade, drifts, unsure } = trace
  const kind = trace.outcome === 'answered' ? 'good' : verdict === 'not a Service' ? 'quiet' : 'bad'
  const fact = (title: string, ...value: readonly Child[]): HTMLElement =>
    element('div', {}, element('dt', {}, title), element('dd', {}, ...value))
  const step = (where: string, what: string): HTMLElement => element('span', {}, `${where}: `, element('code', {}, what))
  return [
    element(
      'section',
      { class: 'panel verdict' },
      element('h2', {}, badge(kind, verdictWords(trace))),
      ...summary.map(text => element('p', { class: 'said' }, text)),
      element(
        'dl',
        { class: 'pairs' },
        fact('From', `${from.given}, `, element('code', {}, from.address), ` (${from.kind})`),
        fact('To', element('code', {}, `${to.address.includes(':') ? `[${to.address}]` : to.address}:${to.port}/${to.protocol}`)),
        service === null
          ? undefined
          : fact(
              'Service',
              element('a', { href: serviceLink(service.service) }, service.port),
              `, ${service.type}, ${service.addressKind}`,
            ),
        service === null ? undefined : fact('Policy', service.policy),
        decidedBy === null ? undefined : fact('Decided by', step(decidedBy.where, decidedBy.what)),
        masquerade === null ? undefined : fact('Masquerade', `${masquerade.applies}: ${masquerade.reason}`),
      ),
    ),
    listSection(
      'The kernel is not as it should be',
      drifts.map(({ kind: how, what, meaning }) => `${how}: ${what}. ${meaning}`),
      'problem',
    ),
    listSection('What could not be judged', unsure, 'warning'),
    candidates(trace),
    others(trace),
    path(trace),
  ]
}

function listSection(title: string, lines: readonly string[], kind: string): Child {
  if (lines.length === 0) return undefined
  const items = lines.map(line => element('li', {}, line))
  return element('section', { class: `panel ${kind}` }, element('h2', {}, title), element('ul', {}, ...items))
}

function candidates({ candidates: all }: TraceObject): Child {
  if (all.length === 0) return undefined
  const weighted = all.some(({ weight }) => weight !== null)
  const columns = [
    { title: 'Endpoint' },
    { title: 'Pod' },
    { title: 'Node' },
    { title: 'Probability', numeric: true },
    ...(weighted ? [{ title: 'Weight', numeric: true }] : []),
    { title: 'Source' },
  ]
  const rows = all.map(({ endpoint, pod, node, probability, weight, masquerade }): readonly Child[] => [
    element('code', {}, endpoint),
    pod ?? undefined,
    node ?? undefined,
    percent(probability),
    ...(weighted ? [weight === null ? undefined : String(weight)] : []),
    masquerade ? 'masqueraded' : 'kept',
  ])
  return element('section', { class: 'panel' }, element('h2', {}, 'Where it may go'), table('Candidates', columns, rows))
}

function others({ others: all }: TraceObject): Child {
  if (all.length === 0) return undefined
  const columns = ['Endpoint', 'Pod', 'Node', 'Reason'].map(title => ({ title }))
  const rows = all.map(({ endpoint, pod, node, reason }): readonly Child[] => [
    element('code', {}, endpoint),
    pod ?? undefined,
    node ?? undefined,
    reason,
  ])
  return element(
    'section',
    { class: 'panel' },
    element('h2', {}, 'Where it does not go, and why'),
    table('Not candidates', columns, rows),
  )
}

function path({ path: steps }: TraceObject): Child {
  if (steps.length === 0) return undefined
  const items = steps.map(({ where, what }) => element('li', {}, element('span', {}, where), element('code', {}, what)))
  return element(
    'section',
    { class: 'panel' },
    element('h2', {}, 'Its way through the kernel'),
    element('ol', { class: 'path' }, ...items),
  )
}
