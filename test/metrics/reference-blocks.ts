// The tables of docs/metrics.md, each between two comment lines, from the definitions of the code.
// `node test/metrics/reference-blocks.ts` writes them into the page; reference.test.ts finds a page that is out of date.
import { readFileSync, writeFileSync } from 'node:fs'
import { kubeProxyMetrics } from '../../src/metrics/kube-proxy-metrics.ts'
import { metricTable } from '../../src/metrics/reference.ts'
import { switchyardMetrics } from '../../src/metrics/switchyard-metrics.ts'

export const page = new URL('../../docs/metrics.md', import.meta.url)

const blocks: Readonly<Record<string, string>> = {
  'kube-proxy': metricTable(kubeProxyMetrics),
  switchyard: metricTable(switchyardMetrics),
}

/** The page with the text of every block put in its place. Throws where a block has no place. */
export function withBlocks(markdown: string): string {
  return Object.entries(blocks).reduce((text, [name, table]) => {
    const place = new RegExp(`(<!-- begin ${name} -->\n)[\\s\\S]*?(<!-- end ${name} -->)`)
    if (!place.test(text)) throw new Error(`the page has no lines <!-- begin ${name} --> and <!-- end ${name} -->`)
    return text.replace(place, (_, begin: string, end: string) => `${begin}${table}${end}`)
  }, markdown)
}

if (import.meta.main) writeFileSync(page, withBlocks(readFileSync(page, 'utf8')))
