import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseFlags } from '../../src/config/flag-parser.ts'
import { flags } from '../../src/config/flags.ts'
import { flagTexts } from '../../src/server/flag-values.ts'

describe('flags as /flagz shows them', () => {
  it('are all there, with their defaults as Go prints them', () => {
    const texts = flagTexts({})
    assert.deepEqual(Object.keys(texts), Object.keys(flags))
    assert.equal(texts['iptables-sync-period'], '30s')
    assert.equal(texts['nodeport-addresses'], '[]')
    assert.equal(texts['masquerade-all'], 'false')
    assert.equal(texts['feature-gates'], '')
    assert.equal(texts['healthz-bind-address'], '0.0.0.0:10256')
    for (const [name, text] of Object.entries(texts)) assert.doesNotMatch(text, /undefined|\[object/, name)
  })

  it('have what the command line says', () => {
    const { values } = parseFlags([
      ...['--iptables-sync-period=90s', '--nodeport-addresses=10.0.0.0/8,fd00::/8'],
      ...['--feature-gates=A=true,B=false', '--masquerade-all', '-v', '3'],
    ])
    const texts = flagTexts(values)
    assert.equal(texts['iptables-sync-period'], '1m30s')
    assert.equal(texts['nodeport-addresses'], '[10.0.0.0/8,fd00::/8]')
    assert.equal(texts['feature-gates'], 'A=true,B=false')
    assert.equal(texts['masquerade-all'], 'true')
    assert.equal(texts['v'], '3')
  })
})
