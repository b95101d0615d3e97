// The image's files agree with each other and with the checkout; the tree itself is used by test/real/privileges.test.ts.
import assert from 'node:assert/strict'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8')

async function packages(): Promise<readonly string[]> {
  return (await read('deploy/image/packages')).split('\n').filter(line => line !== '' && !line.startsWith('#'))
}

describe('the image', () => {
  test('has the Node that package.json pins for development', async () => {
    const { dependencies } = JSON.parse(await read('package.json'))
    assert.match(
      await read('Dockerfile'),
      new RegExp(`^FROM node:${dependencies.node.replaceAll('.', '\\.')}-bookworm-slim AS build$`, 'm'),
    )
  })

  test('has both stages and the tree for tests on the same Debian', async () => {
    const releases = [...(await read('Dockerfile')).matchAll(/^FROM \S*?(\w+)-slim/gm)].map(([, release]) => release)
    assert.deepEqual(releases, ['bookworm', 'bookworm'])
  })

  test('holds the tools of both backends and of both modes, and what Node needs', async () => {
    assert.equal(
      (await packages()).toSorted().join(' '),
      'ca-certificates conntrack iproute2 ipset iptables ipvsadm kmod libstdc++6 nftables',
    )
  })

  test('is built from files that are there and that .dockerignore lets through', async () => {
    const [dockerfile, ignore] = [await read('Dockerfile'), await read('.dockerignore')]
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) => sources.split(' '))
    assert.ok(copied.includes('src'))
    const allowed = ignore.split('\n').flatMap(line => (line.startsWith('!') ? [line.slice(1)] : []))
    assert.ok(ignore.split('\n').includes('*'), 'all else stays out')
    assert.deepEqual(copied.toSorted(), allowed.toSorted())
    for (const path of copied) await access(join(root, path))
  })

  test('starts the bundle, by the name that enter-container gives it too', async () => {
    const dockerfile = await read('Dockerfile')
    assert.match(dockerfile, /^ENTRYPOINT \["switchyard"\]$/m)
    const link = 'ln -s ../lib/switchyard/switchyard.mjs'
    assert.ok(dockerfile.includes(`${link} /usr/local/bin/switchyard`))
    assert.ok((await read('test/deploy/enter-container')).includes(`${link} "$root/usr/local/bin/switchyard"`))
  })
})
