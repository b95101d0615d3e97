// A look loads no module and feeds no tool.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Exec } from '../../src/kernel/exec.ts'
import { lookingExec } from '../../src/kernel/looking-exec.ts'

async function look(command: Parameters<Exec>[0], modules: readonly string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-modules-'))
  const ran: string[] = []
  const exec: Exec = async ({ argv }) => ({ stdout: `${ran.push(argv.join(' '))}`, stderr: '', milliseconds: 0 })
  try {
    for (const name of modules) await mkdir(join(folder, name))
    return { stdout: (await lookingExec(exec, folder)(command)).stdout, ran }
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('lookingExec', () => {
  it('asks tools that load nothing', async () => {
    assert.deepEqual(await look({ argv: ['iptables-nft-save'] }), { stdout: '1', ran: ['iptables-nft-save'] })
  })

  it('asks a tool whose module is there', async () => {
    assert.deepEqual((await look({ argv: ['ipset', 'save'] }, ['ip_set'])).ran, ['ipset save'])
  })

  it('answers with nothing for a tool that would load its module', async test => {
    const bin = await mkdtemp(join(tmpdir(), 'switchyard-bin-'))
    const { PATH } = process.env
    test.after(() => {
      process.env['PATH'] = PATH
      return rm(bin, { recursive: true })
    })
    // A folder may be entered, which is all that is asked.
    await mkdir(join(bin, 'ipvsadm'))
    process.env['PATH'] = bin
    assert.deepEqual(await look({ argv: ['ipvsadm', '-Sn'] }, ['ip_set']), { stdout: '', ran: [] })
    assert.deepEqual((await look({ argv: ['ipset', 'save'] })).ran, ['ipset save'], 'whoever has no ipset is told so')
  })

  it('refuses to feed a tool', () => assert.rejects(look({ argv: ['ipset', 'restore'], input: 'destroy\n' }), /only looks/))
})
