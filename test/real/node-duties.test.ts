// Parameters of a real kernel, in a network namespace of the test's own. The hash table belongs to the whole machine and not to a
// namespace, so it alone is a file that looks like the kernel's.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import type { ConntrackSettings } from '../../src/config/config.ts'
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import type { DutyReport } from '../../src/sync/node-duties.ts'
import { createNamespace } from '../support/namespace.ts'

const source = new URL('../../src/', import.meta.url)

const settings: ConntrackSettings = {
  maxPerCore: 1,
  // Larger by one than the machine's table, so that it would have to grow.
  min: 1 + Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8')),
  tcpEstablishedTimeoutSeconds: 86_399,
  tcpCloseWaitTimeoutSeconds: 3599,
  udpTimeoutSeconds: 29,
  udpStreamTimeoutSeconds: 99,
  tcpBeLiberal: true,
}

/** Performs the duties in a process of its own and gives its report. */
async function performIn(
  exec: Exec,
  duties: { settings?: ConntrackSettings; oomScoreAdj?: number; fileRoot: string },
): Promise<DutyReport> {
  const script = `
    const { createSysctl } = await import('${source}kernel/sysctl.ts')
    const { perform, plannedOomScore, plannedSysctls } = await import('${source}sync/node-duties.ts')
    const { settings, oomScoreAdj, fileRoot } = ${JSON.stringify(duties)}
    const planned = settings ? plannedSysctls(settings, { cores: 1 }) : [plannedOomScore(oomScoreAdj)]
    const report = await perform({ planned, sysctl: createSysctl('/proc/sys'), files: createSysctl(fileRoot) })
    process.stdout.write(JSON.stringify(report))
  `
  return JSON.parse((await exec({ argv: [process.execPath, '--input-type=module', '-e', script] })).stdout)
}

it('sets what the namespace allows, reports the old values, and warns of what only the host may set', async () => {
  await using namespace = await createNamespace('duties')
  const exec = createExec({ prefix: namespace.prefix })
  const fileRoot = await mkdtemp(join(tmpdir(), 'switchyard-duties-'))
  try {
    await mkdir(join(fileRoot, 'sys/module/nf_conntrack/parameters'), { recursive: true })
    await writeFile(join(fileRoot, 'sys/module/nf_conntrack/parameters/hashsize'), '1024\n')
    const read = async (name: string): Promise<string> =>
      (await exec({ argv: ['cat', `/proc/sys/net/netfilter/nf_conntrack_${name}`] })).stdout.trim()
    const wanted = {
      tcp_timeout_established: '86399',
      tcp_timeout_close_wait: '3599',
      tcp_be_liberal: '1',
      udp_timeout: '29',
      udp_timeout_stream: '99',
    }
    const before = Object.fromEntries(await Promise.all(Object.keys(wanted).map(async name => [name, await read(name)])))
    const { changed, refused } = await performIn(exec, { settings, fileRoot })
    assert.deepEqual(
      changed.map(({ name, from, to }) => ({ name, from, to })),
      Object.entries(wanted).map(([name, to]) => ({ name: `net.netfilter.nf_conntrack_${name}`, from: before[name], to })),
    )
    for (const [name, value] of Object.entries(wanted)) assert.equal(await read(name), value)
    assert.deepEqual(
      refused.map(({ name, absent }) => ({ name, absent })),
      [{ name: 'net.netfilter.nf_conntrack_max', absent: false }],
    )
    assert.match(
      refused[0]?.message ?? '',
      /^cannot set net\.netfilter\.nf_conntrack_max to \d+ .* the kernel says E[A-Z]+: .*; set it in the host's own/,
    )
    const again = await performIn(exec, { settings, fileRoot })
    assert.deepEqual(again.changed, [])
  } finally {
    await rm(fileRoot, { recursive: true })
  }
})

it('names every parameter below a read-only /proc/sys, and ends well', async () => {
  await using namespace = await createNamespace('duties')
  const readOnly = 'mount --bind -o ro /proc/sys /proc/sys && exec "$@"'
  const exec = createExec({ prefix: [...namespace.prefix, 'unshare', '--mount', 'sh', '-c', readOnly, 'sh'] })
  const { changed, refused } = await performIn(exec, { settings: { ...settings, maxPerCore: undefined }, fileRoot: '/' })
  assert.deepEqual(changed, [])
  assert.equal(refused.length, 5)
  for (const { name, message } of refused) {
    assert.ok(
      message.startsWith(`cannot set ${name} to `) && message.includes('EROFS: read-only file system; set it on the host'),
      message,
    )
  }
})

it('sets its own oom_score_adj where it may', async () => {
  const exec = createExec({ prefix: ['choom', '-n', '300', '--'] })
  const { changed, refused } = await performIn(exec, { oomScoreAdj: 301, fileRoot: '/' })
  assert.deepEqual(refused, [])
  assert.deepEqual(changed, [{ name: '/proc/self/oom_score_adj', from: '300', to: '301', why: 'oomScoreAdj 301' }])
})

it('warns where it may not lower its oom_score_adj', async () => {
  const unprivileged = ['setpriv', '--bounding-set=-sys_resource', '--inh-caps=-sys_resource']
  const exec = createExec({ prefix: ['choom', '-n', '300', '--', ...unprivileged] })
  const { changed, refused } = await performIn(exec, { oomScoreAdj: -999, fileRoot: '/' })
  assert.deepEqual(changed, [])
  assert.match(
    refused[0]?.message ?? '',
    /^cannot set \/proc\/self\/oom_score_adj to -999 .*it is 300, and the kernel says EACCES.*CAP_SYS_RESOURCE/,
  )
})
