import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import type { ConntrackSettings } from '../../src/config/config.ts'
import { createSysctl, type Sysctl } from '../../src/kernel/sysctl.ts'
import { perform, plannedOomScore, plannedSysctls } from '../../src/sync/node-duties.ts'

/** kube-proxy's defaults. */
const defaults: ConntrackSettings = {
  maxPerCore: 32_768,
  min: 131_072,
  tcpEstablishedTimeoutSeconds: 86_400,
  tcpCloseWaitTimeoutSeconds: 3600,
  udpTimeoutSeconds: undefined,
  udpStreamTimeoutSeconds: undefined,
  tcpBeLiberal: false,
}

const nothing: ConntrackSettings = {
  ...defaults,
  maxPerCore: undefined,
  tcpEstablishedTimeoutSeconds: undefined,
  tcpCloseWaitTimeoutSeconds: undefined,
}

const max = 'net.netfilter.nf_conntrack_max'
const established = 'net.netfilter.nf_conntrack_tcp_timeout_established'
const closeWait = 'net.netfilter.nf_conntrack_tcp_timeout_close_wait'
const hashSize = 'sys.module.nf_conntrack.parameters.hashsize'
const hashSizePath = '/sys/module/nf_conntrack/parameters/hashsize'

describe('plannedSysctls', () => {
  const planned = (settings: ConntrackSettings, cores: number): Record<string, number> =>
    Object.fromEntries(plannedSysctls(settings, { cores }).map(({ name, value }) => [name, value]))

  it("plans kube-proxy's defaults", () => {
    assert.deepEqual(planned(defaults, 8), { [max]: 262_144, [hashSize]: 65_536, [established]: 86_400, [closeWait]: 3600 })
  })

  it('plans every setting, and in seconds', () => {
    const all = { ...nothing, tcpBeLiberal: true, udpTimeoutSeconds: 20, udpStreamTimeoutSeconds: 100 }
    assert.deepEqual(planned(all, 8), {
      'net.netfilter.nf_conntrack_tcp_be_liberal': 1,
      'net.netfilter.nf_conntrack_udp_timeout': 20,
      'net.netfilter.nf_conntrack_udp_timeout_stream': 100,
    })
  })

  it('plans nothing where everything is to be left as it is, conntrack.min included', () => {
    assert.deepEqual(plannedSysctls(nothing, { cores: 8 }), [])
  })

  const sizes: readonly { title: string; settings: Partial<ConntrackSettings>; cores: number; size: number }[] = [
    { title: 'scales with the cores', settings: {}, cores: 16, size: 524_288 },
    { title: 'is at least conntrack.min', settings: {}, cores: 2, size: 131_072 },
    { title: 'stops growing at 1,048,576', settings: {}, cores: 128, size: 1_048_576 },
    { title: 'may be larger than that by conntrack.min', settings: { min: 2_000_000 }, cores: 128, size: 2_000_000 },
    { title: 'may have no minimum', settings: { min: 0, maxPerCore: 1000 }, cores: 3, size: 3000 },
  ]
  for (const { title, settings, cores, size } of sizes) {
    it(`the table ${title}, and has a bucket for every four flows`, () => {
      const plan = planned({ ...defaults, ...settings }, cores)
      assert.equal(plan[max], size)
      assert.equal(plan[hashSize], Math.floor(size / 4))
    })
  }

  it('lowers timeouts but never the size of the table', () => {
    const rules = plannedSysctls(defaults, { cores: 2 }).map(({ name, rule }) => [name, rule])
    assert.deepEqual(rules, [
      [max, 'at least'],
      [hashSize, 'at least'],
      [established, 'exactly'],
      [closeWait, 'exactly'],
    ])
  })
})

interface Machine extends AsyncDisposable {
  readonly sysctl: Sysctl
  readonly files: Sysctl
  readonly written: string[]
  value(name: string): Promise<string>
}

/** Parameters as files of a folder, where the names in `refusing` answer a write as the kernel does. */
async function machine(
  values: Readonly<Record<string, string>>,
  refusing: Readonly<Record<string, string>> = {},
): Promise<Machine> {
  const root = await mkdtemp(join(tmpdir(), 'switchyard-duties-'))
  const written: string[] = []
  const pathOf = (name: string): string => join(root, ...name.split('.'))
  for (const [name, value] of Object.entries(values)) {
    await mkdir(dirname(pathOf(name)), { recursive: true })
    await writeFile(pathOf(name), `${value}\n`)
  }
  const real = createSysctl(root)
  const parameters: Sysctl = {
    read: real.read,
    write: async (name, value) => {
      const reason = refusing[name]
      if (reason !== undefined) throw new Error('advice', { cause: new Error(`${reason}, open '${pathOf(name)}'`) })
      written.push(name)
      await real.write(name, value)
    },
  }
  return {
    sysctl: parameters,
    files: parameters,
    written,
    value: name => readFile(pathOf(name), 'utf8'),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

describe('perform', () => {
  const fresh = { [max]: '65536', [hashSize]: '16384', [established]: '432000', [closeWait]: '60' }

  it('sets what is not so yet, and reports each with its old value', async () => {
    await using node = await machine(fresh)
    const { changed, refused } = await perform({ planned: plannedSysctls(defaults, { cores: 8 }), ...node })
    assert.deepEqual(refused, [])
    assert.deepEqual(
      changed.map(({ name, from, to }) => `${name}: ${from} -> ${to}`),
      [
        `${max}: 65536 -> 262144`,
        `${hashSizePath}: 16384 -> 65536`,
        `${established}: 432000 -> 86400`,
        `${closeWait}: 60 -> 3600`,
      ],
    )
    assert.equal(await node.value(max), '262144')
    assert.match(changed[0]?.why ?? '', /conntrack.maxPerCore 32768 x 8 cores/)
  })

  it('writes nothing the second time', async () => {
    await using node = await machine(fresh)
    const planned = [...plannedSysctls(defaults, { cores: 8 })]
    await perform({ planned, ...node })
    const count = node.written.length
    assert.deepEqual(await perform({ planned, ...node }), { changed: [], refused: [] })
    assert.equal(node.written.length, count)
  })

  it('leaves a table that is larger than wanted', async () => {
    await using node = await machine({ ...fresh, [max]: '4194304', [hashSize]: '1048576' })
    await perform({ planned: plannedSysctls(defaults, { cores: 8 }), ...node })
    assert.deepEqual(node.written, [established, closeWait])
  })

  it('names what the kernel refuses, with the reason and what to do, and sets all others', async () => {
    await using node = await machine(fresh, { [max]: 'EACCES: permission denied', [established]: 'EROFS: read-only file system' })
    const { changed, refused } = await perform({ planned: plannedSysctls(defaults, { cores: 8 }), ...node })
    assert.deepEqual(
      changed.map(({ name }) => name),
      [closeWait],
      'and not the hash size, which is of no use to a table that did not grow',
    )
    const size = `cannot set ${max} to 262144 (conntrack.maxPerCore 32768 x 8 cores (at most 1048576), at least conntrack.min 131072)`
    const reason = 'it is 65536, and the kernel says EACCES: permission denied'
    const advice = `set it in the host's own network namespace (sysctl -w ${max}=262144), or leave it with conntrack.maxPerCore: 0`
    assert.deepEqual(refused[0], { name: max, value: '262144', absent: false, message: `${size}: ${reason}; ${advice}` })
    assert.match(
      refused[1]?.message ?? '',
      /^cannot set net.netfilter.nf_conntrack_tcp_timeout_established to 86400 .*EROFS.*tcpEstablishedTimeout: 0s$/,
    )
  })

  it('tells a parameter that is not there', async () => {
    await using node = await machine({})
    const { changed, refused } = await perform({ planned: plannedSysctls(defaults, { cores: 8 }), ...node })
    assert.deepEqual(changed, [])
    assert.deepEqual(
      refused.map(({ name, absent }) => [name, absent]),
      [
        [max, true],
        [established, true],
        [closeWait, true],
      ],
    )
    assert.match(refused[0]?.message ?? '', /is the kernel module nf_conntrack loaded\?/)
  })

  it('sets oomScoreAdj in the same way', async () => {
    await using node = await machine({ 'proc.self.oom_score_adj': '0' })
    const { changed } = await perform({ planned: [plannedOomScore(-999)], ...node })
    assert.deepEqual(changed, [{ name: '/proc/self/oom_score_adj', from: '0', to: '-999', why: 'oomScoreAdj -999' }])
    assert.equal(await node.value('proc.self.oom_score_adj'), '-999')
  })

  it('says what lets it set oomScoreAdj where it may not', async () => {
    await using node = await machine(
      { 'proc.self.oom_score_adj': '0' },
      { 'proc.self.oom_score_adj': 'EACCES: permission denied' },
    )
    const { refused } = await perform({ planned: [plannedOomScore(-999)], ...node })
    assert.match(
      refused[0]?.message ?? '',
      /^cannot set \/proc\/self\/oom_score_adj to -999 .*EACCES: permission denied; give the container CAP_SYS_RESOURCE/,
    )
  })
})
