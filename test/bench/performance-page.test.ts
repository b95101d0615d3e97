// docs/performance.md says what was measured, and nothing else: it is what the committed figures give.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseWishes } from '../../bench/command-line.ts'
import { addRun, type Measurement, type Results, replaceFigures } from '../../bench/figures.ts'
import { performancePage } from '../../bench/page.ts'
import { wishedScenarios } from '../../bench/schedule.ts'
import { median, percentile, readable } from '../../bench/statistics.ts'

const docs = join(import.meta.dirname, '../../docs')
const read = (path: string): string => readFileSync(join(docs, path), 'utf8')
const machine = { cores: 2, memoryGB: 8, kernel: '6.1', iptables: 'iptables v1.8.9', node: 'v24.0.0' }

function change(samples: readonly number[], floor: readonly number[]): Measurement {
  const size = { services: 10_000, endpoints: 5, backend: 'nft' } as const
  return { part: 'change', what: 'an endpoint is replaced', unit: 'ms', ...size, samples, floor }
}

describe('docs/performance.md', () => {
  const pages = performancePage(JSON.parse(read('performance.json')) as Results)
  for (const [path, text] of pages) {
    test(`docs/${path} is what the figures give; \`npm run bench -- report\` makes it anew`, () => {
      assert.equal(read(path), text)
    })
  }

  test('shows the plots that there are', () => {
    for (const path of pages.keys()) if (path.endsWith('.svg')) assert.ok(pages.get('performance.md')?.includes(`(${path})`))
  })

  test('says of a goal whether it is met, by the middle of the runs', () => {
    const figures = addRun(addRun([], [change([100, 120], [100])], 0), [change([210, 500], [200])], 0.5)
    const page = performancePage({ machine, figures }).get('performance.md') ?? ''
    assert.match(page, /\| 10,000 × 5 \| one endpoint replaced \| p50 \| 100 ms \| 100 ms \| 1.00 × \| 1.3 × \| yes \| 837 ms \|/)
    const slow = addRun([], [change([100, 290], [100])], 0)
    assert.match(
      performancePage({ machine, figures: slow }).get('performance.md') ?? '',
      /p99 \| 290 ms .* \| 2.90 × \| 2 × \| \*\*no\*\*/,
    )
  })
})

describe('figures', () => {
  test('of several runs join, and those that were measured again take the place of the old', () => {
    const twice = addRun(addRun([], [change([1], [1])], 0), [change([2], [1])], 0)
    assert.deepEqual(
      twice.map(({ runs }) => runs.map(({ samples }) => samples)),
      [[[1], [2]]],
    )
    const again = replaceFigures(twice, addRun([], [change([3], [1])], 0))
    assert.deepEqual(
      again.map(({ runs }) => runs.map(({ samples }) => samples)),
      [[[3]]],
    )
  })

  test('are counted by nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.deepEqual([median(samples), percentile(samples, 0.99), percentile(samples, 1)], [50, 99, 100])
    assert.ok(Number.isNaN(median([])))
    assert.deepEqual([0.1234, 12.34, 123.4, 1234, 7].map(readable), ['0.12', '12.3', '123', '1,234', '7'])
  })
})

describe('the command line of the benchmark', () => {
  test('takes parts, sizes and options in any order', () => {
    const wishes = parseWishes(['cold', '10x2', '--runs', '3', 'change', '--backend', 'legacy'])
    assert.deepEqual(
      [wishes.parts, wishes.sizes, wishes.runs, wishes.backends],
      [['cold', 'change'], [{ services: 10, endpoints: 2 }], 3, ['legacy']],
    )
    assert.deepEqual(
      wishedScenarios(wishes).map(({ parts, backend }) => [parts, backend]),
      [[['cold', 'change'], 'legacy']],
    )
  })

  for (const [words, complaint] of [
    [['warm'], /expected a part/],
    [['0x5'], /expected a part/],
    [['--runs', '0'], /--runs 0/],
    [['--runs'], /needs a value/],
    [['--backend', 'nftables'], /nft or legacy/],
  ] as const) {
    test(`says what is wrong with: ${words.join(' ')}`, () => assert.throws(() => parseWishes(words), complaint))
  }
})
