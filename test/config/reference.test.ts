import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { flags } from '../../src/config/flags.ts'
import { kubeProxyFields } from '../../src/config/kube-proxy-fields.ts'
import { flagHelp } from '../../src/config/reference.ts'
import { switchyardFields } from '../../src/config/switchyard-fields.ts'
import { page, withBlocks } from './reference-blocks.ts'
import { lines, load } from './support.ts'

const markdown = readFileSync(page, 'utf8')

test('the tables of docs/configuration.md are those of the code', () => {
  assert.equal(markdown, withBlocks(markdown), 'write them by: node test/config/reference-blocks.ts')
})

suite('every example of docs/configuration.md is a configuration', () => {
  const examples = [...markdown.matchAll(/```yaml\n([\s\S]*?)```/g)].map(match => match[1] ?? '')
  assert.ok(examples.length >= 2)
  for (const [index, text] of examples.entries()) {
    test(`example ${index + 1}`, () => {
      const flag = text.includes('SwitchyardConfiguration') ? '--switchyard-config=/f' : '--config=/f'
      const { config, errors, warnings } = load([flag], { '/f': text })
      assert.deepEqual(lines([...errors, ...warnings]), [])
      assert.ok(config)
    })
  }
})

test('no path is in both kinds, so that a path alone names a setting', () => {
  assert.deepEqual(
    Object.keys(switchyardFields).filter(path => Object.hasOwn(kubeProxyFields, path)),
    [],
  )
})

test('no setting has two flags', () => {
  const paths = Object.values(flags).flatMap(flag => flag.sets ?? [])
  assert.deepEqual(paths, [...new Set(paths)])
})

test('--help names every flag with its meaning and a default that is not empty', () => {
  const help = flagHelp()
  for (const name of Object.keys(flags)) assert.match(help, new RegExp(`--${name}( [^ \\n]+)?\\n {6}[A-Za-z]`), name)
  assert.match(help, /\n {2}-v, --v int32\n/)
  assert.match(help, /--iptables-sync-period duration\n {6}How often .* \(default 30s\)\n/)
  assert.match(help, /--proxy-mode string\n {6}.* One of: iptables, ipvs\. \(default iptables\)\n/)
  assert.match(help, /--cleanup\n {6}[^(]*\n/)
})
