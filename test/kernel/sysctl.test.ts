// Kernel parameters through files, in a folder that stands for /proc/sys.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createSysctl, type Sysctl } from '../../src/kernel/sysctl.ts'

const name = 'net.ipv4.conf.all.route_localnet'

async function sysctlWith(
  t: TestContext,
  value: string,
): Promise<{ readonly sysctl: Sysctl; readonly file: string; readonly root: string }> {
  const root = await mkdtemp(join(tmpdir(), 'sysctl-'))
  t.after(() => rm(root, { recursive: true }))
  const file = join(root, 'net/ipv4/conf/all/route_localnet')
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, value)
  return { sysctl: createSysctl(root), file, root }
}

describe('sysctl', () => {
  it('reads a value without its newline', async t => {
    const { sysctl } = await sysctlWith(t, '0\n')
    assert.equal(await sysctl.read(name), '0')
  })
  it('keeps several values of one parameter as they are', async t => {
    const { sysctl } = await sysctlWith(t, '32768\t60999\n')
    assert.equal(await sysctl.read(name), '32768\t60999')
  })
  it('writes a value that is read back', async t => {
    const { sysctl, file } = await sysctlWith(t, '0\n')
    await sysctl.write(name, '1')
    assert.equal(await readFile(file, 'utf8'), '1')
    assert.equal(await sysctl.read(name), '1')
  })
  it('knows no value of a parameter that this kernel does not have', async t => {
    const { sysctl } = await sysctlWith(t, '0\n')
    assert.equal(await sysctl.read('net.ipv4.vs.conn_reuse_mode'), undefined)
  })
  it('says which parameter it could not set to what, why, and what to do', async t => {
    const { sysctl, root } = await sysctlWith(t, '0\n')
    await assert.rejects(sysctl.write('net.ipv4.vs.conntrack', '1'), (error: unknown) => {
      assert.ok(error instanceof Error)
      assert.match(
        error.message,
        /^cannot set net\.ipv4\.vs\.conntrack to 1: ENOENT.*; set it on the host \(sysctl -w net\.ipv4\.vs\.conntrack=1\)/,
      )
      assert.ok(error.message.endsWith(root))
      assert.ok(error.cause instanceof Error)
      return true
    })
  })
})
