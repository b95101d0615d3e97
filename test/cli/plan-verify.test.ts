// The command lines of plan and verify, and their text from objects made by hand.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ageText } from '../../src/cli/looking-command.ts'
import { main as plan } from '../../src/cli/plan.ts'
import { planText } from '../../src/cli/plan-text.ts'
import type { Paint } from '../../src/cli/table.ts'
import { main as verify } from '../../src/cli/verify.ts'
import { verifyText } from '../../src/cli/verify-text.ts'
import type { PlannedChange, PlanObject } from '../../src/explain/plan-object.ts'
import type { VerifiedDrift, VerifyObject } from '../../src/explain/verify-object.ts'

const commands = { plan, verify }

async function runs(test: TestContext, main: typeof plan, argv: readonly string[]) {
  const said: string[] = []
  const take = (text: unknown): boolean => said.push(String(text)) > 0
  const mocks = [process.stdout, process.stderr].map(stream => test.mock.method(stream, 'write', take))
  try {
    return { status: await main(argv), said: said.join('') }
  } finally {
    for (const { mock } of mocks) mock.restore()
  }
}

const refused: readonly (readonly [argv: readonly string[], says: RegExp])[] = [
  [['--nonsense'], /--nonsense: there is no such flag/],
  [['word'], /takes no argument "word"/],
  [['-o', 'yaml'], /--output: "yaml" is not allowed/],
  [['--manifests', '/tmp', '--cluster-cidr', 'nonsense'], /--cluster-cidr: "nonsense" is not allowed/],
  [['--proxy-mode', 'ipvs'], /--proxy-mode: without --config, .* the running Switchyard is asked/],
  [['--cleanup'], /--cleanup: there is no such flag/],
]

for (const [name, main] of Object.entries(commands)) {
  describe(`switchyard ${name}`, () => {
    for (const [argv, says] of refused) {
      it(`refuses ${argv.join(' ')}`, async test => {
        const { status, said } = await runs(test, main, argv)
        assert.equal(status, 64, said)
        assert.match(said, says)
      })
    }

    it('has help with examples', async test => {
      const { status, said } = await runs(test, main, ['--help'])
      assert.equal(status, 0)
      for (const words of [`Usage: switchyard ${name}`, 'Exit status: 0', 'Examples:', '--config FILE'])
        assert.ok(said.includes(words))
    })
  })
}

const plain: Paint = (_, text) => text

const change = (fields: Partial<PlannedChange>): PlannedChange => {
  return { kind: 'changed', what: 'nat chain KUBE-SVC-X', was: [], will: [], note: null, ...fields }
}

function planWith(changes: readonly PlannedChange[]): PlanObject {
  const head = { apiVersion: 'switchyard/v1', kind: 'Plan', time: '2026-01-01T00:00:00.000Z', readAt: '' } as const
  const totals = { written: 1, removed: 0, lines: 4 }
  const services = changes.length === 0 ? [] : [{ service: 'default/web', changes }]
  const families = [{ family: 'IPv4', mode: 'iptables', totals, services, kept: [] }] as const
  const about = { node: 'node1', mode: 'iptables', source: 'a test', sweeps: true, empty: changes.length === 0 }
  return { ...head, ...about, families, parameters: [] }
}

describe('planText', () => {
  const text = (object: PlanObject, options: { summary?: boolean; most?: number } = {}): readonly string[] =>
    planText(object, { paint: plain, summary: false, most: undefined, ...options }).split('\n')

  it('shows only the rules that go and come', () => {
    const lines = text(planWith([change({ was: ['-j A', '-j B', '-j B'], will: ['-j B', '-j C'] })]))
    assert.deepEqual(
      lines.filter(line => /^ {6}/.test(line)).map(line => line.trim()),
      ['- -j A', '- -j B', '+ -j C'],
    )
  })

  it('says where only the order differs', () => {
    const lines = text(planWith([change({ was: ['-j A', '-j B'], will: ['-j B', '-j A'] })]))
    assert.ok(lines.some(line => line.includes('in another order')))
  })

  it('cuts long lists, and says so', () => {
    const will = Array.from({ length: 10 }, (_, index) => `-j A${index}`)
    const lines = text(planWith([change({ will })]), { most: 5 })
    assert.ok(lines.includes('    ... 6 more lines (--all)'), lines.join('\n'))
    assert.ok(!text(planWith([change({ will })])).some(line => line.includes('--all')))
  })

  it('has a line a Service as a summary', () => {
    const lines = text(planWith([change({}), change({ kind: 'added' })]), { summary: true })
    assert.deepEqual(lines.slice(1, 4), ['', 'IPv4', '  default/web  1 added, 1 changed'])
  })

  it('counts in words', () => {
    const [plan] = [planWith([change({})])]
    assert.match(
      text(plan).join('\n'),
      /^In all: 1 Service, 1 chain, set or virtual server written, 0 removed, 4 lines for the tools/m,
    )
  })

  it('says that there is nothing to do', () => {
    assert.deepEqual(text(planWith([])), ['Nothing to do on node node1, mode iptables, by a test', ''])
  })

  it('says where all is known to differ from kube-proxy', () => {
    assert.match(text(planWith([change({ note: 'known' })])).join('\n'), /no connection is treated otherwise/)
    assert.doesNotMatch(text(planWith([change({ note: 'known' }), change({})])).join('\n'), /no connection/)
  })
})

describe('the age of an answer', () => {
  for (const [readAt, says] of [
    ['2026-01-01T00:00:10.000Z', ''],
    ['2026-01-01T00:00:09.100Z', ''],
    ['2026-01-01T00:00:07.900Z', 'As the kernel was read 2 s ago.\n'],
    // A daemon that does not tell.
    ['', ''],
  ] as const) {
    it(`is said from a second on: ${readAt}`, () => assert.equal(ageText({ time: '2026-01-01T00:00:10.000Z', readAt }), says))
  }
})

describe('verifyText', () => {
  const drift: VerifiedDrift = {
    family: 'IPv6',
    kind: 'missing',
    what: 'nat chain X',
    service: 'default/web',
    meaning: 'connections to it reach nothing',
  }
  const object = (drifts: readonly VerifiedDrift[]): VerifyObject => ({
    ...{
      apiVersion: 'switchyard/v1',
      kind: 'Verification',
      time: '',
      readAt: '',
      node: 'node1',
      mode: 'ipvs',
      source: 'a test',
      sweeps: true,
    },
    ...{ clean: drifts.length === 0, families: ['IPv4', 'IPv6'], bare: [], drifts },
  })

  it('names each difference with its Service and its meaning', () => {
    assert.deepEqual(verifyText(object([drift]), { paint: plain, most: undefined }).split('\n'), [
      'The kernel is not as it should be: one difference in IPv4 and IPv6 of node node1, mode ipvs, by a test',
      ...['', 'default/web', '  missing    nat chain X (IPv6)', '             connections to it reach nothing', ''],
    ])
  })

  it('writes control characters of rules as words', () => {
    const rule = { ...drift, what: 'rule \u001b[31m\n-j DROP', meaning: 'a \u009b' }
    const text = verifyText(object([rule]), { paint: plain, most: undefined })
    assert.match(text, /rule \\u\{1b\}\[31m\\u\{a\}-j DROP \(IPv6\)\n +a \\u\{9b\}\n/)
  })

  it('cuts long lists, and says so', () => {
    const text = verifyText(object(Array.from({ length: 9 }, () => drift)), { paint: plain, most: 3 })
    assert.match(text, /^ {2}\.\.\. 6 more \(--all\)$/m)
  })

  it('says first where there is nothing at all', () => {
    const text = verifyText({ ...object([drift]), bare: ['IPv4', 'IPv6'] }, { paint: plain, most: 3 })
    assert.match(text.split('\n')[1] ?? '', /^No rule of Switchyard is here at all \(IPv4 and IPv6\)/)
  })

  it('says that all is well', () => {
    assert.match(verifyText(object([]), { paint: plain, most: 3 }), /^The kernel is as it should be: IPv4 and IPv6 of node node1/)
  })
})
