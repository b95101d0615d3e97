// The tables of docs/configuration.md, each between two comment lines, from the tables of the code.
// `node test/config/reference-blocks.ts` writes them into the page; reference.test.ts finds a page that is out of date.
import { readFileSync, writeFileSync } from 'node:fs'
import { kubeProxyFields } from '../../src/config/kube-proxy-fields.ts'
import { fieldTable, flagTable } from '../../src/config/reference.ts'
import { switchyardFields } from '../../src/config/switchyard-fields.ts'

export const page = new URL('../../docs/configuration.md', import.meta.url)

export const blocks: Readonly<Record<string, string>> = {
  KubeProxyConfiguration: fieldTable(kubeProxyFields),
  SwitchyardConfiguration: fieldTable(switchyardFields),
  flags: flagTable(),
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
