// The page as one document: what goes in, and that a browser will run nothing else.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { Script } from 'node:vm'
import { pageHandler } from '../../src/server/page.ts'
import { composePage, inlineModules } from '../../src/server/page-source.ts'

const modules = (files: Readonly<Record<string, string>>) => new Map(Object.entries(files))

describe('modules in one script', () => {
  it('run in the order in which they need each other, each with names of its own', () => {
    const script = inlineModules(
      modules({
        'main.ts':
          "import { two, type Unused as Other } from './b.ts'\nimport { one as first } from './a-a.ts'\nconst own: number = 1\nresult.push(first() + two + own)",
        'b.ts':
          "import { one } from './a-a.ts'\nimport type { Away } from '../../away.ts'\nexport interface Unused { a: Away }\nconst own = 10\nexport const two = one() * own",
        'a-a.ts':
          'let own = 0\nexport function one(): number {\n  own += 1\n  return own\n}\nexport async function later(): Promise<void> {}',
        'never.ts': 'result.push(0)',
      }),
      'main.ts',
    )
    const result: number[] = []
    new Script(script).runInNewContext({ result })
    assert.deepEqual(result, [2 + 10 + 1])
  })

  const refused: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    [
      'an import of everything',
      { 'main.ts': "import * as a from './a.ts'" },
      /main\.ts: this form cannot be inlined: import \* as a/,
    ],
    ['an export of a class', { 'main.ts': 'export class A {}' }, /main\.ts: this form cannot be inlined: export class A/],
    ['a module that is not there', { 'main.ts': "import { a } from './a.ts'" }, /main\.ts imports a\.ts, which is not there/],
    [
      'a circle',
      { 'main.ts': "import { a } from './a.ts'", 'a.ts': "import { b } from './main.ts'" },
      /circle of modules: main\.ts -> a\.ts -> main\.ts/,
    ],
    ['what would end the script', { 'main.ts': "const a = '</script>'" }, /ends or hides it/],
  ]
  for (const [what, files, error] of refused) {
    it(`refuse ${what}`, () => {
      assert.throws(() => inlineModules(modules(files), 'main.ts'), error)
    })
  }
})

describe('the page', () => {
  it('is one document that asks for nothing', () => {
    const html = composePage()
    assert.doesNotMatch(html, /\b(?:src|href)="?(?!#|data:)[^"]/, 'a reference to elsewhere')
    assert.doesNotMatch(html, /@import|url\(|innerHTML|insertAdjacentHTML|document\.write|\beval\(/)
    assert.ok(html.length < 100_000, `${html.length} characters`)
  })

  it('comes with a policy that names its script and its style, and nothing else', async () => {
    const request = { path: '/', query: new URLSearchParams(), accept: undefined }
    const { status, contentType, headers, body } = await pageHandler()(request)
    const hash = (tag: string): string => {
      const content = body.slice(body.indexOf('>', body.indexOf(`<${tag}`)) + 1, body.indexOf(`</${tag}>`))
      return createHash('sha256').update(content).digest('base64')
    }
    assert.deepEqual([status, contentType], [200, 'text/html; charset=utf-8'])
    assert.deepEqual(headers?.['content-security-policy']?.split('; '), [
      "default-src 'none'",
      `script-src 'sha256-${hash('script')}'`,
      `style-src 'sha256-${hash('style')}'`,
      "connect-src 'self'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
  })

  it('is read once', async () => {
    let reads = 0
    const handler = pageHandler(() => {
      reads += 1
      return { html: '', scriptHash: '', styleHash: '' }
    })
    const request = { path: '/', query: new URLSearchParams(), accept: undefined }
    await handler(request)
    await handler(request)
    assert.equal(reads, 1)
  })
})
