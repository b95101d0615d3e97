// docs/operating.md names log lines by their fixed words: here each of them must still be in the source, and each error of the source there.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const page = readFileSync(join(root, 'docs', 'operating.md'), 'utf8')
const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.ts'))
  .map(path => readFileSync(join(root, 'src', path), 'utf8'))

/** The first cell of a row whose first cell is a line of the log. */
const lines = [...page.slice(page.indexOf('## Log lines')).matchAll(/^\| `([^`]+)` \|/gm)].map(([, line = '']) => line)

/** What stands between the variable parts. */
const fixedParts = (line: string): readonly string[] =>
  line
    .split('...')
    .map(part => part.trim())
    .filter(part => part.length > 3)

describe('docs/operating.md', () => {
  it('names log lines', () => assert.ok(lines.length > 20))

  for (const line of lines) {
    it(`names a line that there is: ${line}`, () => {
      const parts = fixedParts(line)
      assert.ok(parts.length > 0, 'only variable parts')
      assert.ok(
        source.some(text => parts.every(part => text.includes(part))),
        `no file of src has all of ${JSON.stringify(parts)}`,
      )
    })
  }

  const errors = source.flatMap(text =>
    [...text.matchAll(/log\.(?:error|fatal)\(\s*(?:\{[^}]*\},\s*)?[`']([^`']+)[`']/g)].map(([, message = '']) => message),
  )

  it('finds errors in the source', () => assert.ok(errors.length > 5))

  for (const message of errors) {
    const longest = message
      .split(/\$\{[^}]*\}/)
      .map(part => part.trim().replace(/^[;:] */, ''))
      .toSorted((a, b) => b.length - a.length)[0]
    if (longest === undefined || longest.length < 12) continue
    it(`explains the error: ${message.slice(0, 60)}`, () =>
      assert.ok(
        lines.some(line => fixedParts(line).some(part => message.includes(part))),
        `no row of the tables is about it`,
      ))
  }
})
