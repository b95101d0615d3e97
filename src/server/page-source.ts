// src/page/ → the page as one document: the style and the script stand in it, and nothing is fetched. The build writes that document beside the bundle;
// a checkout makes it when it is asked for. Takes no bundler, since a checkout may have none.
//
// Each module of the browser's part becomes a function of its own that gives what it exports, in the order in which they need each other.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'

/** Where the build put the document, seen from the part of the bundle that asks. */
declare const SWITCHYARD_PAGE: string | undefined

export interface PageDocument {
  readonly html: string
  /** Of script and style, as a Content-Security-Policy names them: `'sha256-...'`. */
  readonly scriptHash: string
  readonly styleHash: string
}

/** Throws where a file is missing or says what `inlineModules` does not take. */
export function readPage(): PageDocument {
  return describePage(
    typeof SWITCHYARD_PAGE === 'string' ? readFileSync(new URL(SWITCHYARD_PAGE, import.meta.url), 'utf8') : composePage(),
  )
}

export function composePage(folder = new URL('../page/', import.meta.url)): string {
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
  const names = readdirSync(new URL('client/', folder)).filter(name => name.endsWith('.ts'))
  const modules = new Map(names.map(name => [name, read(`client/${name}`)]))
  return read('page.html')
    .replace('/* page.css */', () => read('page.css'))
    .replace('/* client/main.ts */', () => inlineModules(modules, 'main.ts'))
}

function describePage(html: string): PageDocument {
  const hash = (tag: string): string => {
    const [, content] = new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`).exec(html) ?? []
    if (content === undefined) throw new Error(`the page has no <${tag}>`)
    return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
  }
  return { html, scriptHash: hash('script'), styleHash: hash('style') }
}

const importForm = /^import \{([^}]*)\} from '\.\/([\w-]+\.ts)'$/gm
const exportForm = /^export (?=(?:async )?function (\w+)|const (\w+))/gm

/** TypeScript modules that import each other by name → one script. Throws on any other form of import or export, and on a circle. */
export function inlineModules(modules: ReadonlyMap<string, string>, entry: string): string {
  const done: string[] = []
  const add = (name: string, above: readonly string[]): void => {
    if (above.includes(name)) throw new Error(`a circle of modules: ${[...above, name].join(' -> ')}`)
    if (done.some(text => text.startsWith(`const ${variable(name)} =`))) return
    const source = modules.get(name)
    if (source === undefined) throw new Error(`${above.at(-1)} imports ${name}, which is not there`)
    const script = stripTypeScriptTypes(source)
    for (const [, , needed = ''] of script.matchAll(importForm)) add(needed, [...above, name])
    done.push(wrapped(name, script))
  }
  add(entry, [])
  const script = done.join('\n')
  if (/<\/script|<!--/i.test(script)) throw new Error('the script has text that ends or hides it in a document')
  return script
}

function wrapped(name: string, script: string): string {
  const exported = [...script.matchAll(exportForm)].map(([, one, other]) => one ?? other)
  const body = script
    .replace(importForm, (_, names: string, from: string) => `const {${names.replace(/ as /g, ': ')}} = ${variable(from)}`)
    .replace(exportForm, '')
  const left = /^(?:import|export)\b.*/m.exec(body)
  if (left !== null) throw new Error(`${name}: this form cannot be inlined: ${left[0]}`)
  return `const ${variable(name)} = (() => {\n${tidy(body)}\nreturn { ${exported.join(', ')} }\n})()`
}

function variable(name: string): string {
  return `module_${name.replace(/\.ts$/, '').replaceAll('-', '_')}`
}

/** Without the blanks where types stood. */
function tidy(script: string): string {
  return script
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}
