// Which readings of the folder deserve a second look, and when two readings are the same.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeObject } from '../../../src/source/decode.ts'
import type { FolderReading, ManifestFile, ManifestFiles } from '../../../src/source/manifest/reader.ts'
import { needsSecondLook, sameReading } from '../../../src/source/manifest/settle.ts'
import { type Raw, rawService } from '../support/objects.ts'

const service = (name: string, port = 80): Raw => rawService({ ports: [{ port }] }, { metadata: { name } })
const file = (raws: readonly Raw[], writtenAt = 0): ManifestFile => ({
  name: 'a.yaml',
  writtenAt,
  contents: { parsed: true, results: raws.map(raw => decodeObject(raw)), documents: new Map() },
})
const unparsed: ManifestFile = { name: 'a.yaml', writtenAt: 0, contents: { parsed: false, problem: 'x', advice: 'x' } }
const folder = (a?: ManifestFile): ManifestFiles => new Map(a === undefined ? [] : [['a.yaml', a]])
const found = (a?: ManifestFile): FolderReading => ({ found: true, files: folder(a) })
const gone: FolderReading = { found: false, code: 'ENOENT', cause: undefined }

describe('a reading', () => {
  const web = file([service('web')])
  const rows: readonly { title: string; believed: ManifestFiles; reading: FolderReading; again: boolean }[] = [
    { title: 'of nothing new is believed', believed: folder(web), reading: found(web), again: false },
    { title: 'of a new good file is believed', believed: folder(), reading: found(web), again: false },
    {
      title: 'of a changed good file is believed',
      believed: folder(web),
      reading: found(file([service('web', 81)])),
      again: false,
    },
    {
      title: 'of one more object is believed',
      believed: folder(web),
      reading: found(file([service('web'), service('api')])),
      again: false,
    },
    { title: 'of a file that is still broken is believed', believed: folder(unparsed), reading: found(unparsed), again: false },
    {
      title: 'of a file that was written just now is looked at again',
      believed: folder(web),
      reading: found(file([service('web', 81)], 1001)),
      again: true,
    },
    { title: 'of no file is looked at again', believed: folder(web), reading: found(), again: true },
    { title: 'of no folder is looked at again', believed: folder(web), reading: gone, again: true },
    { title: 'of an empty file is looked at again', believed: folder(web), reading: found(file([])), again: true },
    { title: 'of a broken file is looked at again', believed: folder(web), reading: found(unparsed), again: true },
    { title: 'of a new broken file is looked at again', believed: folder(), reading: found(unparsed), again: true },
    {
      title: 'of a broken object is looked at again',
      believed: folder(web),
      reading: found(file([service('web', 0)])),
      again: true,
    },
    {
      title: 'of one object less is looked at again',
      believed: folder(file([service('web'), service('api')])),
      reading: found(web),
      again: true,
    },
  ]
  for (const { title, believed, reading, again } of rows) {
    it(title, () => assert.equal(needsSecondLook(reading, believed, 1000), again))
  }
})

describe('two readings', () => {
  const web = file([service('web')])
  const rows: readonly { title: string; one: FolderReading; other: FolderReading; same: boolean }[] = [
    { title: 'of the same contents are the same', one: found(web), other: found(web), same: true },
    { title: 'of other contents are not', one: found(web), other: found(file([service('web')])), same: false },
    { title: 'with and without a file are not', one: found(web), other: found(), same: false },
    { title: 'of no folder are the same', one: gone, other: { ...gone }, same: true },
    {
      title: 'that failed in two ways are not',
      one: gone,
      other: { found: false, code: 'EACCES', cause: undefined },
      same: false,
    },
    { title: 'with and without the folder are not', one: gone, other: found(), same: false },
  ]
  for (const { title, one, other, same } of rows) {
    it(title, () => {
      assert.equal(sameReading(one, other), same)
      assert.equal(sameReading(other, one), same)
    })
  }
})
