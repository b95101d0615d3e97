// Whether an ipvs mode left anything: seen by its link or its sets, without loading a module, and without a word where a tool is missing.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CommandError, type CommandFailure, type Exec } from '../../src/kernel/exec.ts'
import { hasIpvsLeftovers } from '../../src/kernel/ipvs-leftovers.ts'

const dummy = (name: string) =>
  `3: ${name}: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN mode DEFAULT group default qlen 1000\\    link/ether 7e:a2\n`

function answering(answers: {
  readonly ip?: string
  readonly ipset?: string
  readonly fails?: Readonly<Record<string, CommandFailure>>
}) {
  const asked: string[] = []
  const exec: Exec = async ({ argv }) => {
    const tool = argv[0] as 'ip' | 'ipset'
    asked.push(tool)
    const failure = answers.fails?.[tool]
    if (failure !== undefined) throw new CommandError({ argv, failure, stderr: '', reason: 'no' })
    return { stdout: answers[tool] ?? '', stderr: '', milliseconds: 0 }
  }
  return { exec, asked }
}

describe('hasIpvsLeftovers', () => {
  let modules: string
  before(async () => {
    modules = await mkdtemp(join(tmpdir(), 'modules-'))
    await mkdir(join(modules, 'ip_set'))
  })
  after(() => rm(modules, { recursive: true }))

  const rows: readonly (readonly [title: string, answers: Parameters<typeof answering>[0], found: boolean])[] = [
    ['nothing', {}, false],
    ['the link', { ip: dummy('kube-ipvs0') }, true],
    ['a link of others', { ip: dummy('nodelocaldns') }, false],
    ['a set', { ipset: 'other\nKUBE-CLUSTER-IP\n' }, true],
    ['a set of IPv6, whose name is cut off', { ipset: 'KUBE-6-LOAD-BALANCER-SOURCE-CID\n' }, true],
    ["Switchyard's own set", { ipset: 'SWITCHYARD-NO-LOCAL\n' }, true],
    ['the spare one of a run that ended half-way', { ipset: 'SWITCHYARD-6-SPARE\n' }, true],
    ["kube-router's and Calico's sets", { ipset: 'KUBE-ROUTER-ALL\nKUBE-DST-XYZ\ncali40s:x\nMY-KUBE-CLUSTER-IP\n' }, false],
    ['no ipset', { fails: { ipset: 'not found' } }, false],
    ['no ip, but a set', { ipset: 'KUBE-LOOP-BACK\n', fails: { ip: 'failed' } }, true],
  ]
  for (const [title, answers, found] of rows)
    it(`${found ? 'sees' : 'does not see'} ${title}`, async () =>
      assert.equal(await hasIpvsLeftovers(answering(answers).exec, 'kube-ipvs0', modules), found))

  it('asks for no sets where the kernel has none: asking would load the module', async () => {
    const { exec, asked } = answering({ ipset: 'KUBE-CLUSTER-IP\n' })
    assert.equal(await hasIpvsLeftovers(exec, 'kube-ipvs0', join(modules, 'none')), false)
    assert.deepEqual(asked, ['ip'])
  })

  it('passes on what is no failed command', async () => {
    await assert.rejects(
      hasIpvsLeftovers(() => Promise.reject(new RangeError('a bug')), 'kube-ipvs0', modules),
      RangeError,
    )
  })
})
