// What nft prints about a kube-proxy's tables, and what it is fed.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { deleteProxyTable, hasProxyTable, parseTableSize } from '../../src/kernel/nftables.ts'

it('only a table of this name and family is kube-proxy’s', () => {
  const tables = ['ip nat', 'inet kube-proxy', 'ip6 kube-proxy-2', 'ip kube-proxy'].map(name => `table ${name} {\n}\n`).join('')
  assert.equal(hasProxyTable(tables, 'IPv4'), true)
  assert.equal(hasProxyTable(tables, 'IPv6'), false)
  assert.equal(hasProxyTable('', 'IPv4'), false)
})

it('chains, maps and sets of a table are counted, not what is inside of them', () => {
  const table =
    'table ip kube-proxy {\n\tcomment "chain x"\n\tmap a {\n\t\ttype x : verdict\n\t}\n\n\tset b {\n\t}\n\n\tchain c {\n\t\tjump chain\n\t}\n}\n'
  assert.deepEqual(parseTableSize(table), { chains: 1, maps: 2 })
})

it('the table of a family goes in one line', () => {
  assert.deepEqual([...deleteProxyTable('IPv6').input], [{ owner: undefined, lines: ['delete table ip6 kube-proxy'] }])
})
