// All files of a folder together: owners, last good versions, changes, problems; without a disk.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Service } from '../../../src/model/objects.ts'
import { decodeObject } from '../../../src/source/decode.ts'
import { type Catalog, type CatalogUpdate, emptyCatalog, updateCatalog } from '../../../src/source/manifest/catalog.ts'
import type { ManifestFile, ManifestFiles } from '../../../src/source/manifest/reader.ts'
import type { ObjectId } from '../../../src/source/source.ts'
import { type Raw, rawService, rawSlice } from '../support/objects.ts'

const service = (name: string, port = 80, uid = ''): Raw => rawService({ ports: [{ port }] }, { metadata: { name, uid } })
const broken = 'broken'
const refusedService = (name: string): Raw => service(name, 0)
const nameless: Raw = { ...service('web'), metadata: { name: 'Not A Name' } }

type Folder = Readonly<Record<string, readonly Raw[] | typeof broken>>

function files(folder: Folder): ManifestFiles {
  const entries = Object.entries(folder).sort(([one], [other]) => (one < other ? -1 : 1))
  return new Map(entries.map(([name, contents]) => [name, file(name, contents)]))
}

function file(name: string, contents: readonly Raw[] | typeof broken): ManifestFile {
  if (contents === broken)
    return { name, writtenAt: 0, contents: { parsed: false, problem: 'is no valid YAML', advice: 'Correct it.' } }
  return { name, writtenAt: 0, contents: { parsed: true, results: contents.map(raw => decodeObject(raw)), documents: new Map() } }
}

/** Applies the folders one after the other; gives the last update. */
function after(...folders: readonly [Folder, ...Folder[]]): CatalogUpdate {
  let catalog: Catalog = emptyCatalog
  let update: CatalogUpdate | undefined
  for (const folder of folders) {
    update = updateCatalog(catalog, files(folder), '/manifests')
    catalog = update.catalog
  }
  assert.ok(update !== undefined)
  return update
}

const served = ({ catalog }: CatalogUpdate): Record<string, number | undefined> =>
  Object.fromEntries([...catalog.objects].map(([id, { object }]) => [id, (object as Service).ports[0]?.port]))
const changed = ({ changes }: CatalogUpdate): readonly string[] =>
  changes.map(({ id, object }) => `${object === undefined ? '-' : '+'} ${id}`)
const errors = ({ problems }: CatalogUpdate): readonly string[] =>
  [...problems.values()]
    .filter(({ severity }) => severity === 'error')
    .map(({ where, problem, advice }) => `${where} ${problem} ${advice}`)

describe('what a folder serves', () => {
  interface Row {
    readonly title: string
    readonly folders: readonly [Folder, ...Folder[]]
    readonly serves: Readonly<Record<string, number>>
    readonly changes: readonly string[]
    readonly unreadable?: boolean
    readonly errors: readonly RegExp[]
  }
  const web = 'Service default/web'
  const api = 'Service default/api'
  const rows: readonly Row[] = [
    {
      title: 'all objects of all files',
      folders: [{ 'a.yaml': [service('web')], 'b.yaml': [service('api', 81)] }],
      serves: { [web]: 80, [api]: 81 },
      changes: [`+ ${web}`, `+ ${api}`],
      errors: [],
    },
    {
      title: 'nothing new where nothing changed',
      folders: [{ 'a.yaml': [service('web')] }, { 'a.yaml': [service('web')] }],
      serves: { [web]: 80 },
      changes: [],
      errors: [],
    },
    {
      title: 'a changed object',
      folders: [{ 'a.yaml': [service('web'), service('api')] }, { 'a.yaml': [service('web', 81), service('api')] }],
      serves: { [web]: 81, [api]: 80 },
      changes: [`+ ${web}`],
      errors: [],
    },
    {
      title: 'nothing of a file that is gone',
      folders: [{ 'a.yaml': [service('web')] }, {}],
      serves: {},
      changes: [`- ${web}`],
      errors: [],
    },
    {
      title: 'another object of the same name as two changes',
      folders: [{ 'a.yaml': [service('web', 80, 'u')] }, { 'a.yaml': [service('web', 80, 'v')] }],
      serves: { [web]: 80 },
      changes: [`- ${web}`, `+ ${web}`],
      errors: [],
    },
    {
      title: 'an object that moved to another file, as before',
      folders: [{ 'a.yaml': [service('web')] }, { 'b.yaml': [service('web')] }],
      serves: { [web]: 80 },
      changes: [],
      errors: [],
    },
    {
      title: 'the one of the first file by name',
      folders: [{ 'b.yaml': [service('web', 81)], 'a.yaml': [service('web', 80)] }],
      serves: { [web]: 80 },
      changes: [`+ ${web}`],
      errors: [/^\/manifests: Service default\/web is in a\.yaml and in b\.yaml; expected once The one in a\.yaml counts/],
    },
    {
      title: 'the one of the second file when the first is gone',
      folders: [{ 'a.yaml': [service('web', 80)], 'b.yaml': [service('web', 81)] }, { 'b.yaml': [service('web', 81)] }],
      serves: { [web]: 81 },
      changes: [`+ ${web}`],
      errors: [],
    },
    {
      title: 'the first of two in one file',
      folders: [{ 'a.yaml': [service('web', 80), service('web', 81)] }],
      serves: { [web]: 80 },
      changes: [`+ ${web}`],
      errors: [/^\/manifests: Service default\/web is in a\.yaml more than once/],
    },
    {
      title: 'the last good objects of a file that stopped parsing',
      folders: [{ 'a.yaml': [service('web')] }, { 'a.yaml': broken }, { 'a.yaml': broken }],
      serves: { [web]: 80 },
      changes: [],
      errors: [/^\/manifests\/a\.yaml is no valid YAML .*last good objects stay/],
    },
    {
      title: 'the objects of a file that parses again',
      folders: [{ 'a.yaml': [service('web')] }, { 'a.yaml': broken }, { 'a.yaml': [service('web', 81)] }],
      serves: { [web]: 81 },
      changes: [`+ ${web}`],
      errors: [],
    },
    {
      title: 'nothing of a file that never parsed',
      folders: [{ 'a.yaml': broken, 'b.yaml': [service('web')] }],
      serves: { [web]: 80 },
      changes: [`+ ${web}`],
      unreadable: true,
      errors: [/^\/manifests\/a\.yaml .*Nothing of it is served/],
    },
    {
      title: 'nothing of a broken file that is gone',
      folders: [{ 'a.yaml': [service('web')] }, { 'a.yaml': broken }, {}],
      serves: {},
      changes: [`- ${web}`],
      errors: [],
    },
    {
      title: 'the last good version of an object',
      folders: [{ 'a.yaml': [service('web')] }, { 'a.yaml': [refusedService('web'), service('api')] }],
      serves: { [web]: 80, [api]: 80 },
      changes: [`+ ${api}`],
      errors: [/^\/manifests\/a\.yaml: Service default\/web spec\.ports\[0\]\.port is 0; .*last good version stays/],
    },
    {
      title: 'the last good version for as long as it takes',
      folders: [
        { 'a.yaml': [service('web')] },
        { 'a.yaml': [refusedService('web')] },
        { 'a.yaml': broken },
        { 'a.yaml': [refusedService('web')] },
      ],
      serves: { [web]: 80 },
      changes: [],
      errors: [/last good version stays/],
    },
    {
      title: 'the last good version of an object that broke while it moved',
      folders: [{ 'a.yaml': [service('web')] }, { 'b.yaml': [refusedService('web')] }, { 'b.yaml': [refusedService('web')] }],
      serves: { [web]: 80 },
      changes: [],
      errors: [/^\/manifests\/b\.yaml: Service default\/web .*last good version stays/],
    },
    {
      title: 'nothing of an object that was never good',
      folders: [{ 'a.yaml': [refusedService('web')] }],
      serves: {},
      changes: [],
      unreadable: true,
      errors: [/It is not served until then/],
    },
    {
      title: 'the other file’s version of an object that was never good in the first',
      folders: [
        { 'a.yaml': [refusedService('web')], 'b.yaml': [service('web', 81)] },
        { 'a.yaml': [refusedService('web')], 'b.yaml': [service('web', 82)] },
      ],
      serves: { [web]: 82 },
      changes: [`+ ${web}`],
      errors: [/The one in b\.yaml counts until then/],
    },
    {
      title: 'the first file’s last good version where a second file has another',
      folders: [{ 'a.yaml': [service('web', 80)] }, { 'a.yaml': [refusedService('web')], 'b.yaml': [service('web', 81)] }],
      serves: { [web]: 80 },
      changes: [],
      errors: [/last good version stays/, /is in a\.yaml and in b\.yaml/],
    },
    {
      title: 'an object that may have lost its name',
      folders: [
        { 'a.yaml': [service('web'), service('api')] },
        { 'a.yaml': [nameless, service('api')] },
        { 'a.yaml': [nameless, service('api')] },
      ],
      serves: { [web]: 80, [api]: 80 },
      changes: [],
      errors: [/metadata\.name is "Not A Name".*The earlier objects of a\.yaml stay/],
    },
    {
      title: 'no object that lost its name and then went',
      folders: [{ 'a.yaml': [service('web')] }, { 'a.yaml': [nameless] }, { 'a.yaml': [] }],
      serves: {},
      changes: [`- ${web}`],
      errors: [],
    },
    {
      title: 'nothing of an object that never had a name',
      folders: [{ 'a.yaml': [nameless, service('api')] }],
      serves: { [api]: 80 },
      changes: [`+ ${api}`],
      unreadable: true,
      errors: [/metadata\.name/],
    },
  ]
  for (const row of rows) {
    it(row.title, () => {
      const update = after(...row.folders)
      assert.deepEqual(served(update), row.serves)
      assert.deepEqual(changed(update), row.changes)
      assert.equal(update.unreadable, row.unreadable ?? false)
      for (const { where, problem, kept } of update.unread) {
        const said = [...update.problems.values()].find(each => each.where === where && each.problem === problem)
        assert.equal(kept, /(last good|counts) .*until then|last good objects stay/.test(said?.advice ?? ''), said?.advice)
      }
      assert.equal(errors(update).length, row.errors.length, errors(update).join('\n'))
      for (const pattern of row.errors)
        assert.ok(
          errors(update).some(error => pattern.test(error)),
          `${pattern}\n${errors(update).join('\n')}`,
        )
    })
  }
})

describe('what a folder says about what it does not serve', () => {
  it('one line for a kind, however many objects and files have it', () => {
    const deployment: Raw = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } }
    const { problems, unreadable } = after({
      'a.yaml': [deployment, deployment],
      'b.yaml': [deployment, { ...deployment, kind: 'DaemonSet' }],
    })
    assert.deepEqual(
      [...problems.values()].map(({ severity, problem }) => `${severity}: ${problem}`),
      ['info: Deployment (apps/v1) is not followed', 'info: DaemonSet (apps/v1) is not followed'],
    )
    assert.equal(unreadable, false)
  })

  it('one line for a slice of no Service', () => {
    const { problems } = after({ 'a.yaml': [rawSlice({}, { labels: {} })] })
    assert.deepEqual(
      [...problems.values()].map(({ where }) => where),
      ['/manifests/a.yaml: EndpointSlice default/web-abc'],
    )
  })

  it('one warning for a Service without a cluster IP', () => {
    const { problems, catalog } = after({ 'a.yaml': [rawService({ clusterIP: undefined, externalIPs: ['192.0.2.1'] })] })
    assert.deepEqual(
      [...problems.values()].map(({ severity, problem }) => `${severity}: ${problem}`),
      ['warning: spec.clusterIP is missing; expected an address'],
    )
    assert.equal(catalog.objects.size, 1)
  })
})

describe('any sequence of folders', () => {
  const names = fc.constantFrom('web', 'api', 'db')
  const object = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(names, fc.integer({ min: 80, max: 82 }), fc.constantFrom('', 'u', 'v'))
        .map(([name, port, uid]) => service(name, port, uid)),
    },
    { weight: 1, arbitrary: names.map(refusedService) },
    { weight: 1, arbitrary: fc.constant(nameless) },
  )
  const contents = fc.oneof(
    { weight: 4, arbitrary: fc.array(object, { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant(broken) },
  )
  const folder = fc.dictionary(fc.constantFrom('a.yaml', 'b.yaml', 'c.yaml'), contents, { maxKeys: 3, noNullPrototype: true })

  it('gives changes that add up to what is served', () => {
    fc.assert(
      fc.property(fc.array(folder, { maxLength: 8 }), folders => {
        let catalog: Catalog = emptyCatalog
        const followed = new Map<ObjectId, unknown>()
        for (const one of folders) {
          const update = updateCatalog(catalog, files(one), '/manifests')
          catalog = update.catalog
          for (const { id, object: now } of update.changes) {
            if (now === undefined) assert.ok(followed.delete(id), `${id} was there to be deleted`)
            else followed.set(id, now)
          }
          assert.deepEqual(followed, new Map([...catalog.objects].map(([id, owned]) => [id, owned.object])))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('ends, once nothing is wrong any more, in what the last folder serves by itself', () => {
    const goodFolder = fc.dictionary(
      fc.constantFrom('a.yaml', 'b.yaml', 'c.yaml'),
      fc.array(
        names.map(name => service(name)),
        { maxLength: 3 },
      ),
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(fc.array(folder, { maxLength: 8 }), goodFolder, (folders, last) => {
        const update = after({}, ...folders, last)
        const alone = after(last)
        assert.deepEqual(
          new Map(update.catalog.objects),
          new Map([...update.catalog.objects.keys()].map(id => [id, alone.catalog.objects.get(id)])),
        )
        assert.deepEqual(served(update), served(alone))
        assert.deepEqual([...update.problems.keys()].sort(), [...alone.problems.keys()].sort())
        assert.equal(update.unreadable, false)
      }),
      { numRuns: 300 },
    )
  })
})
