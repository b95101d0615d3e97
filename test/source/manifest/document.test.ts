// One manifest file: documents, lists, JSON, and where a mistake is.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FileContents, type Parsed, readManifest } from '../../../src/source/manifest/document.ts'
import { rawService, rawSlice } from '../support/objects.ts'

const read = (name: string, text: string | Uint8Array, known: Parsed['documents'] = new Map()): Promise<FileContents> =>
  readManifest({ name, bytes: Buffer.from(text), known })

async function parsed(name: string, text: string, known?: Parsed['documents']): Promise<Parsed> {
  const contents = await read(name, text, known)
  assert.ok(contents.parsed, JSON.stringify(contents))
  return contents
}

const service = (name: string, port = 80): string => JSON.stringify(rawService({ ports: [{ port }] }, { metadata: { name } }))

describe('a manifest file holds', () => {
  const rows: readonly { title: string; name: string; text: string; outcomes: readonly string[] }[] = [
    { title: 'nothing where it is empty', name: 'a.yaml', text: '', outcomes: [] },
    { title: 'nothing where it is empty JSON', name: 'a.json', text: ' \n', outcomes: [] },
    { title: 'nothing where all is comment', name: 'a.yaml', text: '# one\n---\n# two\n', outcomes: [] },
    { title: 'one object without a marker', name: 'a.yaml', text: service('a'), outcomes: ['decoded'] },
    {
      title: 'several documents',
      name: 'a.yml',
      text: `---\n${service('a')}\n---\n${service('b')}\n--- # the third\n${service('c')}\n---\n`,
      outcomes: ['decoded', 'decoded', 'decoded'],
    },
    {
      title: 'documents with the line ends of Windows',
      name: 'a.yaml',
      text: `${service('a')}\r\n---\r\n${service('b')}\r\n`,
      outcomes: ['decoded', 'decoded'],
    },
    {
      title: 'documents with directives and ends',
      name: 'a.yaml',
      text: `%YAML 1.2\n---\n${service('a')}\n...\n%YAML 1.2\n---\n${service('b')}\n`,
      outcomes: ['decoded', 'decoded'],
    },
    {
      title: 'a list',
      name: 'a.yaml',
      text: `apiVersion: v1\nkind: List\nitems: [${service('a')}, ${JSON.stringify(rawSlice())}]`,
      outcomes: ['decoded', 'decoded'],
    },
    { title: 'JSON', name: 'a.json', text: service('a'), outcomes: ['decoded'] },
    {
      title: 'a list in JSON after a byte order mark',
      name: 'a.json',
      text: `\ufeff{"apiVersion":"v1","kind":"ServiceList","items":[${service('a')},${service('b')}]}`,
      outcomes: ['decoded', 'decoded'],
    },
    {
      title: 'merge keys',
      name: 'a.yaml',
      text: 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  <<: {clusterIP: 10.96.0.7}\n  ports: [{port: 80}]\n',
      outcomes: ['decoded'],
    },
    {
      title: 'good objects beside a bad one',
      name: 'a.yaml',
      text: `${service('a')}\n---\nhello\n---\n${service('a', 0)}`,
      outcomes: ['decoded', 'refused', 'refused'],
    },
  ]
  for (const { title, name, text, outcomes } of rows) {
    it(title, async () => {
      assert.deepEqual(
        (await parsed(name, text)).results.map(({ outcome }) => outcome),
        outcomes,
      )
    })
  }
})

describe('a file that does not parse says where', () => {
  const rows: readonly { title: string; name: string; text: string | Uint8Array; problem: RegExp }[] = [
    { title: 'in the first document', name: 'a.yaml', text: 'a: 1\nb: [\n', problem: /^is no valid YAML at line 3, column 1: / },
    {
      title: 'in a later document',
      name: 'a.yaml',
      text: `${service('a')}\n---\n${service('b')}\n---\nkind: Service\n  metadata: x\n`,
      problem: /^is no valid YAML at line 5, column \d+: /,
    },
    {
      title: 'where a key stands twice',
      name: 'a.yaml',
      text: 'a: 1\na: 2\n',
      problem: /^is no valid YAML at line 2, column 1: .*unique/,
    },
    {
      title: 'where an alias leads nowhere',
      name: 'a.yaml',
      text: 'a: 1\n---\nb: *nowhere\n',
      problem: /^is no valid YAML in the document at line 2: Unresolved alias/,
    },
    {
      title: 'where aliases multiply',
      name: 'a.yaml',
      text: `a: &a [x]\nb: &b [${'*a,'.repeat(50)}]\nc: &c [${'*b,'.repeat(50)}]\nd: [${'*c,'.repeat(50)}]\n`,
      problem: /^is no valid YAML in the document at line 1: Excessive alias count/,
    },
    { title: 'in JSON', name: 'a.json', text: '{"a":\n 1,}', problem: /^is no valid JSON: .*line 2 column 4/ },
    { title: 'in JSON that was cut off', name: 'a.json', text: '{"a":', problem: /^is no valid JSON: / },
    { title: 'where it is no text', name: 'a.yaml', text: new Uint8Array([0xff, 0xfe, 0x61, 0]), problem: /^is not UTF-8 text$/ },
  ]
  for (const { title, name, text, problem } of rows) {
    it(title, async () => {
      const contents = await read(name, text)
      assert.ok(!contents.parsed)
      assert.match(contents.problem, problem)
      assert.match(contents.advice, /\.$/)
    })
  }
})

describe('a document that was decoded before', () => {
  it('is taken as it was, and only a changed one is decoded again', async () => {
    const before = await parsed('a.yaml', [service('a'), service('b'), service('c')].join('\n---\n'))
    const after = await parsed('a.yaml', [service('a'), service('b', 81), service('c')].join('\n---\n'), before.documents)
    assert.deepEqual(
      before.results.map((result, index) => result === after.results[index]),
      [true, false, true],
    )
  })

  it('is forgotten when its file holds it no more', async () => {
    const before = await parsed('a.yaml', [service('a'), service('b')].join('\n---\n'))
    const after = await parsed('a.yaml', service('a'), before.documents)
    assert.equal(after.documents.size, 1)
  })
})
