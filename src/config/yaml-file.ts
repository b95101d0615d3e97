// The text of a configuration file, YAML or JSON → plain data, the line of each setting, and what is wrong with the text.
// As kube-proxy does it: the first document counts, and a repeated key is a warning, its last value wins.
import { type Document, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import { isMapping } from './field-type.ts'
import { type Finding, show } from './problem.ts'

export interface ConfigDocument {
  /** apiVersion and kind still in it. */
  readonly content: Readonly<Record<string, unknown>>
  /** Line of the key or list item, from 1; undefined for what is not written there, such as a key that an alias brings. */
  readonly lineOf: (path: readonly (string | number)[]) => number | undefined
}

/** `document` is undefined exactly where one of the findings is an error. */
export interface ParsedFile {
  readonly document: ConfigDocument | undefined
  readonly findings: readonly Finding[]
}

/** `expected`: the apiVersion and kind that the file has to name. */
export function parseConfigFile(text: string, expected: { readonly apiVersion: string; readonly kind: string }): ParsedFile {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const [first] = documents
  if (first === undefined) return failed([wrong('the file is empty', needs(expected))])
  const findings = syntaxFindings(first, lines)
  if (findings.some(finding => finding.severity === 'error')) return failed(findings)
  const data = contentOf(first)
  if ('problem' in data) return failed([...findings, data])
  const { content } = data
  if (!isMapping(content)) return failed([...findings, wrong('the file holds no fields', needs(expected))])
  const misnamed = checkKind(content, expected)
  if (misnamed !== undefined) return failed([...findings, misnamed])
  if (documents.length > 1) findings.push(ignoredDocuments(documents.length))
  return { document: { content, lineOf: path => lineOf(first, lines, path) }, findings }
}

function syntaxFindings(document: Document.Parsed, lines: LineCounter): Finding[] {
  return document.errors.map(({ code, message, pos }) => {
    const { line, col } = lines.linePos(pos[0])
    return code === 'DUPLICATE_KEY'
      ? {
          severity: 'warning',
          path: '',
          line,
          problem: 'the key on this line is there twice',
          advice: 'the last one counts; remove one',
        }
      : {
          severity: 'error',
          path: '',
          line,
          problem: `not YAML at column ${col}: ${message}`,
          advice: 'correct the line or the one before',
        }
  })
}

/** The plain data, or why there is none, such as an alias without an anchor. */
function contentOf(document: Document.Parsed): { readonly content: unknown } | Finding {
  try {
    return { content: document.toJS() }
  } catch (error) {
    return wrong(`not YAML: ${error instanceof Error ? error.message : String(error)}`, 'correct the file')
  }
}

function checkKind(
  content: Readonly<Record<string, unknown>>,
  expected: { readonly apiVersion: string; readonly kind: string },
): Finding | undefined {
  const { apiVersion, kind } = content
  if (apiVersion === expected.apiVersion && kind === expected.kind) return undefined
  const seen = `its kind is ${show(kind)} and its apiVersion ${show(apiVersion)}`
  return wrong(
    seen,
    kind === 'ConfigMap' ? `give the text under its data.config.conf, which ${needs(expected)}` : needs(expected),
  )
}

function needs({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `needs apiVersion: ${apiVersion} and kind: ${kind}`
}

function ignoredDocuments(count: number): Finding {
  return {
    severity: 'warning',
    path: '',
    problem: `the file has ${count} documents`,
    advice: 'only the first counts; remove the others',
  }
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly (string | number)[]): number | undefined {
  const last = path.at(-1)
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const pair = isMap(parent) ? parent.items.findLast(item => isScalar(item.key) && item.key.value === last) : undefined
  const node = isSeq(parent) && typeof last === 'number' ? parent.items[last] : pair?.key
  const start = rangeStart(node)
  return start === undefined ? undefined : lines.linePos(start).line
}

function rangeStart(node: unknown): number | undefined {
  const range = isMapping(node) ? node['range'] : undefined
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined
}

function wrong(problem: string, advice: string): Finding {
  return { severity: 'error', path: '', problem, advice }
}

function failed(findings: readonly Finding[]): ParsedFile {
  return { document: undefined, findings }
}
