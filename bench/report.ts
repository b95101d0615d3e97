// npm run bench -- report [FILE]: docs/performance.json (or FILE) → docs/performance.md and its plots.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { performancePage } from './page.ts'
import { readResults } from './results.ts'

const docs = join(import.meta.dirname, '../docs')
const source = process.argv[2] ?? join(docs, 'performance.json')
for (const [path, text] of performancePage(await readResults(source))) {
  const file = join(docs, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  console.log(`wrote docs/${path}`)
}
