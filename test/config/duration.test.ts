import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDuration, parseDuration } from '../../src/config/duration.ts'

const durations: readonly (readonly [text: string, ms: number, printed: string])[] = [
  ['0', 0, '0s'],
  ['0s', 0, '0s'],
  ['-0', 0, '0s'],
  ['30s', 30_000, '30s'],
  ['1m', 60_000, '1m0s'],
  ['1h2m3.5s', 3_723_500, '1h2m3.5s'],
  ['24h', 86_400_000, '24h0m0s'],
  ['90m', 5_400_000, '1h30m0s'],
  ['300ms', 300, '300ms'],
  ['1.5s', 1_500, '1.5s'],
  ['.5s', 500, '500ms'],
  ['1.s', 1_000, '1s'],
  ['2.3s', 2_300, '2.3s'],
  ['5us', 0.005, '5µs'],
  ['5µs', 0.005, '5µs'],
  ['5μs', 0.005, '5µs'],
  ['7ns', 0.000007, '7ns'],
  ['-1m30s', -90_000, '-1m30s'],
  ['+2s', 2_000, '2s'],
  ['1s1s', 2_000, '2s'],
]

test('a Go duration is read and printed as Go does', () => {
  for (const [text, ms, printed] of durations) {
    assert.equal(parseDuration(text), ms, text)
    assert.equal(formatDuration(ms), printed, text)
  }
})

test('what Go does not take for a duration is none', () => {
  for (const text of [
    '',
    ' ',
    '30',
    '1',
    '-',
    '+',
    's',
    '.s',
    '1d',
    '1S',
    '1 s',
    ' 1s',
    '1s ',
    '1e3s',
    '1h-2m',
    '--1s',
    '00',
    '300y',
    '2562048h',
  ]) {
    assert.equal(parseDuration(text), undefined, JSON.stringify(text))
  }
})

test('every whole number of milliseconds survives printing and reading', () => {
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), ms => parseDuration(formatDuration(ms)) === (ms === 0 ? 0 : ms)))
})

test('every whole number of nanoseconds up to an hour survives printing and reading', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3.6e12 }),
      ns => Math.round((parseDuration(formatDuration(ns / 1e6)) ?? -1) * 1e6) === ns,
    ),
  )
})
