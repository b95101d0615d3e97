// The words of the page: foreign text, numbers, times, and addresses behind `#`.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { routeOf, serviceLink, traceLink } from '../../src/page/client/route.ts'
import { count, listed, percent, plain, shortened, span } from '../../src/page/client/text.ts'

describe('foreign text', () => {
  for (const [given, shown] of [
    ['web-1', 'web-1'],
    ['<b>&amp;', '<b>&amp;'],
    ['a\u202eb\u0000\n\u200b\u2028', 'a⟨U+202E⟩b⟨U+0000⟩⟨U+000A⟩⟨U+200B⟩⟨U+2028⟩'],
    ['ünï · 名', 'ünï · 名'],
  ] as const) {
    it(`${JSON.stringify(given)} is shown as ${shown}`, () => assert.equal(plain(given), shown))
  }

  it('is shortened in its middle', () => {
    assert.equal(shortened('abcdefghij', 10), 'abcdefghij')
    assert.equal(shortened('abcdefghijk', 10), 'abcdef…ijk')
  })
})

describe('numbers and times', () => {
  it('are words', () => {
    assert.deepEqual([0, 1, 1 / 3, 0.0005, 0.001, 0.125].map(percent), ['0 %', '100 %', '33.3 %', '< 0.1 %', '0.1 %', '12.5 %'])
    const times = [-5, 0, 59_400, 61_000, 120_000, 11_520_000, 90_000_000, Number.NaN]
    assert.deepEqual(times.map(span), ['0 s', '0 s', '59 s', '1 min 1 s', '2 min', '3 h 12 min', '1 d 1 h', '?'])
    assert.deepEqual([count(1, 'slice'), count(10_000, 'slice')], ['1 slice', '10,000 slices'])
    assert.deepEqual([listed([]), listed(['a']), listed(['a', 'b', 'c'])], ['', 'a', 'a, b and c'])
  })
})

describe('the address behind #', () => {
  it('leads back to where it was made', () => {
    for (const service of ['default/web', 'a/<img src=x>?#%&', 'a/\u202eb']) {
      assert.deepEqual(routeOf(serviceLink(service)), { view: 'service', service })
    }
    const ends = { from: 'pod/default/web-1', to: '[fd00::1]:80/TCP' }
    assert.deepEqual(routeOf(traceLink(ends.from, ends.to)), { view: 'trace', ...ends })
  })

  it('leads to the overview where it is nonsense', () => {
    for (const hash of [
      '',
      '#',
      '#/',
      '#/nothing',
      '#/service',
      '#/service/default',
      '#/service//web',
      '#/service/a/b/c',
      '#%',
    ]) {
      assert.deepEqual(routeOf(hash), { view: 'overview' }, hash)
    }
    assert.deepEqual(routeOf('#/service/a/%zz'), { view: 'service', service: 'a/%zz' })
    assert.deepEqual(routeOf('#/trace'), { view: 'trace', from: '', to: '' })
  })
})
