import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { acceptable, negotiate } from '../../src/server/negotiate.ts'

const rows: readonly (readonly [accept: string | undefined, form: string])[] = [
  [undefined, 'text'],
  ['', 'text'],
  ['*/*', 'text'],
  ['text/plain', 'text'],
  ['text/*;q=0.5', 'text'],
  ['application/json;v=v1beta1;g=config.k8s.io;as=Statusz', 'json v1beta1'],
  ['application/json; as=Statusz; g=config.k8s.io; v=v1alpha1', 'json v1alpha1'],
  ['application/yaml;v=v1beta1;g=config.k8s.io;as=Statusz', 'yaml v1beta1'],
  ['APPLICATION/JSON;V="v1beta1";g=config.k8s.io;as=Statusz', 'json v1beta1'],
  ['application/json', 'none'],
  ['application/yaml', 'none'],
  ['application/json;v=v1beta1;g=config.k8s.io;as=Flagz', 'none'],
  ['application/json;v=v1;g=config.k8s.io;as=Statusz', 'none'],
  ['application/json;v=v1beta1;g=other.k8s.io;as=Statusz', 'none'],
  ['application/cbor;v=v1beta1;g=config.k8s.io;as=Statusz', 'none'],
  ['text/html', 'none'],
  ['text/plain;q=0', 'none'],
  ['text/html, */*', 'text'],
  ['application/json, text/plain;q=0.1', 'text'],
  ['text/plain;q=0.1, application/json;v=v1beta1;g=config.k8s.io;as=Statusz', 'json v1beta1'],
  ['application/json;v=v1beta1;g=config.k8s.io;as=Statusz;q=0.1, text/plain', 'text'],
  [';;;=,', 'none'],
]

describe('the form that /statusz takes', () => {
  for (const [accept, expected] of rows) {
    it(`${expected} for ${accept ?? 'no Accept at all'}`, () => {
      const form = negotiate(accept, 'Statusz')
      assert.equal('version' in form ? `${form.form} ${form.version}` : form.form, expected)
    })
  }

  it('is one of those that it names', () => {
    for (const accept of acceptable('Flagz')) assert.notEqual(negotiate(accept, 'Flagz').form, 'none')
  })
})
