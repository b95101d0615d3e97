// Whether ipvs mode can work here, told from a host of a few files and tools that answer as on real hosts.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { CommandError, type CommandFailure, type Exec } from '../../src/kernel/exec.ts'
import { type IpvsSupport, probeIpvs, whyNotIpvs } from '../../src/kernel/ipvs-probe.ts'
import { ipvsSchedulers } from '../../src/model/ipvs-scheduler.ts'

const release = '6.1.0-18-amd64'
const folder = `lib/modules/${release}`

/** As depmod(8) writes them; files may be compressed, and spelt with a dash. */
const modulesDep = [
  'kernel/net/netfilter/ipvs/ip_vs.ko.xz: kernel/net/netfilter/nf_conntrack.ko.xz kernel/lib/libcrc32c.ko.xz',
  'kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz',
  'kernel/net/netfilter/ipvs/ip_vs_sh.ko: kernel/net/netfilter/ipvs/ip_vs.ko.xz',
  'kernel/net/netfilter/ipset/ip_set.ko.xz:',
  'kernel/net/netfilter/ipset/ip_set_bitmap_port.ko.xz:',
  'kernel/net/netfilter/ipset/ip_set_hash_ip.ko.xz:',
  'kernel/net/netfilter/ipset/ip_set_hash_ipport.ko.xz:',
  'kernel/net/netfilter/ipset/ip_set_hash_ipportip.ko.xz:',
  'kernel/net/netfilter/ipset/ip_set_hash_ipportnet.ko.xz:',
  'kernel/net/netfilter/xt-set.ko.zst: kernel/net/netfilter/ipset/ip_set.ko.xz',
  'kernel/net/netfilter/xt_ipvs.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz',
].join('\n')

type Answers = Readonly<Record<string, readonly [CommandFailure, string]>>

interface Host {
  readonly files?: Readonly<Record<string, string>>
  /** What fails, by the command or its beginning; all else works. */
  readonly failing?: Answers
  readonly scheduler?: string
  /** As for a command that looks. */
  readonly mayLoad?: boolean
}

const debian = { [`${folder}/modules.dep`]: modulesDep, [`${folder}/modules.builtin`]: 'kernel/drivers/net/dummy.ko\n' }

function answering(failing: Answers, ran: string[]): Exec {
  return async ({ argv }) => {
    const command = argv.join(' ')
    ran.push(command)
    const [failure, stderr] = Object.entries(failing).find(([beginning]) => `${command} `.startsWith(`${beginning} `))?.[1] ?? []
    if (failure === undefined) return { stdout: '', stderr: '', milliseconds: 1 }
    throw new CommandError({ argv, failure, stderr: stderr ?? '', reason: stderr ?? '' })
  }
}

async function probe({
  files = debian,
  failing = {},
  scheduler = 'rr',
  mayLoad = true,
}: Host): Promise<IpvsSupport & { ran: readonly string[] }> {
  const root = await mkdtemp(join(tmpdir(), 'switchyard-ipvs-'))
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), path.endsWith('.gz') ? gzipSync(text) : text)
    }
    const ran: string[] = []
    const exec = answering(failing, ran)
    return { ...(await probeIpvs({ exec, scheduler, schedulers: ipvsSchedulers, host: { root, release }, mayLoad })), ran }
  } finally {
    await rm(root, { recursive: true })
  }
}

const notFound = (module: string): Answers => ({
  [`modprobe -- ${module}`]: ['failed', `modprobe: FATAL: Module ${module} not found in directory /${folder}`],
})
const noModprobe = { modprobe: ['not found', 'modprobe: no such program'] } as const
const noIpvs = { 'ipvsadm -l': ['failed', "Can't initialize ipvs: Protocol not available"] } as const

describe('probeIpvs', () => {
  it('finds nothing missing on a usual host, and knows its schedulers', async () => {
    const { missing, missingSchedulers, notes, doubts } = await probe({})
    assert.deepEqual([missing, notes, doubts], [[], [], []])
    assert.deepEqual(
      ipvsSchedulers.filter(name => !missingSchedulers.has(name)),
      ['rr', 'sh'],
    )
  })

  it('loads what is needed and is not there yet, and nothing else', async () => {
    const { ran } = await probe({
      files: { ...debian, 'proc/modules': 'ip_vs 192512 2 ip_vs_rr, Live 0x0\nxt_set 16384 9 - Live 0x0\n' },
    })
    const loaded = ran.filter(command => command.startsWith('modprobe'))
    assert.deepEqual(loaded, [
      'modprobe -- ip_set',
      'modprobe -- ip_set_bitmap_port',
      'modprobe -- ip_set_hash_ip',
      'modprobe -- ip_set_hash_ipport',
      'modprobe -- ip_set_hash_ipportip',
      'modprobe -- ip_set_hash_ipportnet',
      'modprobe -- dummy',
      'modprobe -- xt_ipvs',
      'modprobe -- ip_vs_rr',
    ])
  })

  const rows: readonly (Host & {
    readonly title: string
    readonly missing: readonly RegExp[]
    readonly notes?: readonly RegExp[]
  })[] = [
    {
      title: 'a kernel without IPVS: in the words of modprobe',
      failing: { ...notFound('ip_vs'), ...notFound('ip_vs_rr'), ...noIpvs },
      missing: [
        /^it needs the kernel module ip_vs, which this kernel does not have \(.*FATAL: Module ip_vs not found in directory/,
      ],
    },
    {
      title: 'a kernel without IPVS, seen from a container without /lib/modules: the tool asked the kernel',
      files: {},
      failing: { ...noModprobe, ...noIpvs },
      missing: [/the kernel module ip_vs, .*\(ipvsadm .*Can't initialize ipvs: Protocol not available\)/],
      notes: [
        /cannot tell whether this kernel has ip_set_bitmap_port, .*, xt_set, dummy, ip_vs_rr \(\/lib\/modules\/.*cannot be read here\)/,
      ],
    },
    {
      title: 'a container without /lib/modules on a host that has all: cannot tell, so taken as there',
      files: {},
      failing: { modprobe: ['failed', 'modprobe: FATAL: Module not found in directory /lib/modules/x'] },
      missing: [],
      notes: [/cannot tell whether .*; taken as there/],
    },
    {
      title: 'a kernel that was built without IPVS, for a command that must not ask it: the kernel tells what it was built with',
      files: { 'proc/config.gz': 'CONFIG_IP_SET=y\nCONFIG_IP_SET_HASH_IP=y\n# CONFIG_IP_VS is not set\nCONFIG_DUMMY=m\n' },
      mayLoad: false,
      missing: [/^it needs the kernel modules ip_vs, ip_set_bitmap_port, .*, xt_set, .*\(not chosen in \/proc\/config\.gz\)$/],
      notes: [/^cannot tell whether this kernel has dummy \(/, /does not have xt_ipvs \(not chosen in /],
    },
    {
      title: 'a container that may not load modules: the kernel loads them itself when they are needed',
      failing: { modprobe: ['not permitted', "modprobe: ERROR: could not insert 'ip_vs': Operation not permitted"] },
      missing: [],
    },
    {
      title: 'a node that loads no module any more',
      files: { ...debian, 'proc/sys/kernel/modules_disabled': '1\n', 'sys/module/ip_set/parameters/max_sets': '256' },
      failing: { modprobe: ['not permitted', 'Operation not permitted'] },
      notes: [/does not have xt_ipvs/],
      missing: [
        /the kernel modules ip_set_bitmap_port, .*, xt_set, .*\(kernel\.modules_disabled forbids loading it\)/,
        /^ipvs\.scheduler rr/,
      ],
    },
    {
      title: 'a module whose file is refused',
      failing: { 'modprobe -- xt_set': ['failed', "modprobe: ERROR: could not insert 'xt_set': Key was rejected by service"] },
      missing: [/the kernel module xt_set, .*Key was rejected/],
    },
    {
      title: 'a kernel without the match that only source ranges need: only a note',
      files: { ...debian, [`${folder}/modules.dep`]: modulesDep.replace('xt_ipvs', 'xt_other') },
      failing: notFound('xt_ipvs'),
      missing: [],
      notes: [/^this kernel does not have xt_ipvs \(.*\): Services with loadBalancerSourceRanges cannot be programmed$/],
    },
    {
      title: 'a kernel without sets',
      failing: { ...notFound('ip_set'), 'ipset list': ['failed', 'ipset v7.17: Cannot open session to kernel.'] },
      missing: [/the kernel module ip_set, .*not found in directory/],
    },
    {
      title: 'tools that are not installed, with their packages',
      failing: {
        ipvsadm: ['not found', ''],
        ipset: ['not found', ''],
        ip: ['not found', ''],
      },
      missing: [
        /the program ipvsadm, which is not on the PATH \(Debian: apt-get install ipvsadm\)/,
        /apt-get install ipset\)/,
        /the program ip, .*apt-get install iproute2\)/,
      ],
    },
    {
      title: 'tools that may not ask the kernel: what its folder has counts',
      failing: { 'ipvsadm -l': ['not permitted', 'Permission denied (you must be root)'], 'ipset list': ['not permitted', ''] },
      missing: [],
    },
    {
      title: 'a scheduler that this kernel does not have, with those that it has',
      scheduler: 'mh',
      failing: notFound('ip_vs_mh'),
      missing: [
        /^ipvs\.scheduler mh needs the kernel module ip_vs_mh, .*\(\/lib\/modules\/.* has no such module\); it has rr, sh$/,
      ],
    },
  ]
  for (const { title, missing: expected, notes: expectedNotes = [], ...host } of rows) {
    it(title, async () => {
      const { missing, ...others } = await probe(host)
      const notes = [...others.doubts, ...others.notes]
      assert.equal(missing.length, expected.length, missing.join('\n'))
      for (const [index, pattern] of expected.entries()) assert.match(missing[index] ?? '', pattern)
      assert.equal(notes.length, expectedNotes.length, notes.join('\n'))
      for (const [index, pattern] of expectedNotes.entries()) assert.match(notes[index] ?? '', pattern)
    })
  }

  it('throws what is no failure of a command', async () => {
    const exec: Exec = async () => {
      throw new TypeError('a bug')
    }
    await assert.rejects(probeIpvs({ exec, scheduler: 'rr', schedulers: [], host: { root: '/nowhere', release } }), TypeError)
  })
})

describe('whyNotIpvs', () => {
  it('is one sentence that names all, and nothing where nothing is missing', () => {
    const support = { missing: [], missingSchedulers: new Set<string>(), notes: [], doubts: ['unclear'] }
    assert.equal(whyNotIpvs(support), undefined)
    assert.equal(
      whyNotIpvs({ ...support, missing: ['it needs this', 'it needs that'] }),
      'mode: ipvs cannot work on this host: it needs this; it needs that',
    )
  })
})
