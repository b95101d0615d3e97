// npm run bench -- report [FILE]: docs/performance.json (or FILE) → docs/performance.md and its plots.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { performancePage } from './page.ts'
import { readResults } from './results.ts'

const docs = join(import.meta.dirname, '../docs')

try {
  await report(process.argv[2] ?? join(docs, 'performance.json'))
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}

async function report(source: string): Promise<void> {
  for (const [path, text] of performancePage(await readResults(source))) {
    const file = join(docs, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    console.log(`wrote docs/${path}`)
  }
}
