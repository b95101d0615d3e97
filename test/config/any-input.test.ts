import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { parseFlags } from '../../src/config/flag-parser.ts'
import { flags } from '../../src/config/flags.ts'
import { kubeProxyFields } from '../../src/config/kube-proxy-fields.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { switchyardFields } from '../../src/config/switchyard-fields.ts'
import { loadFile, nest } from './support.ts'

suite('whatever it is given, loading ends with a configuration or with errors', () => {
  const check = (loaded: LoadedConfig) => assert.equal(loaded.config === undefined, loaded.errors.length > 0)

  test('any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), text => check(loadFile(text))))
  })

  test('any value in any field', () => {
    const path = fc.constantFrom(
      ...Object.keys(kubeProxyFields),
      ...Object.keys(switchyardFields),
      'iptables',
      'logging.options',
      'x',
    )
    fc.assert(fc.property(path, fc.jsonValue(), (at, value) => check(loadFile(stringify(nest(at, value))))))
  })

  test('any command line', () => {
    const word = fc.oneof(fc.constantFrom(...Object.keys(flags).map(name => `--${name}`)), fc.string())
    fc.assert(
      fc.property(fc.array(word), argv => {
        const { values } = parseFlags(argv.filter(text => !/^--(config|switchyard-config)/.test(text)))
        check(loadConfig({ flags: values, hostname: 'host1', readFile: () => '' }))
      }),
    )
  })
})
