// Which backend a host uses, told from what stands there; and that looking leaves no trace.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CommandError, type Exec } from '../../src/kernel/exec.ts'
import type { Backend } from '../../src/kernel/iptables.ts'
import { type BackendEvidence, chooseBackend, probeBackend } from '../../src/kernel/probe.ts'

type Evidence = Partial<BackendEvidence>
const nothing: BackendEvidence = { usable: true, kubeletHint: false, proxyChains: 0, rules: 0, note: undefined }
const broken = { usable: false, note: 'no such program' }

interface Row {
  readonly title: string
  readonly nft?: Evidence
  readonly legacy?: Evidence
  readonly plain?: Backend
  readonly backend: Backend
  readonly ambiguous?: boolean
  readonly reason: RegExp
}

const rows: readonly Row[] = [
  { title: 'an empty host takes nft', backend: 'nft', reason: /nothing tells/ },
  {
    title: 'an empty host whose plain iptables is legacy takes that',
    plain: 'legacy',
    backend: 'legacy',
    reason: /plain iptables/,
  },
  { title: 'an empty host whose plain iptables is nft takes that', plain: 'nft', backend: 'nft', reason: /plain iptables/ },
  { title: 'no nft programs', nft: broken, backend: 'legacy', reason: /nft backend does not work/ },
  { title: 'no legacy programs', legacy: broken, plain: 'legacy', backend: 'nft', reason: /legacy backend does not work/ },
  {
    title: 'no nft programs, although kubelet left its hint there',
    nft: { ...broken, kubeletHint: true },
    backend: 'legacy',
    reason: /nft backend/,
  },
  {
    title: "kubelet's hint is stronger than rules",
    legacy: { kubeletHint: true },
    nft: { rules: 50 },
    backend: 'legacy',
    reason: /kubelet/,
  },
  { title: "kubelet's hint in nft", nft: { kubeletHint: true }, legacy: { rules: 50 }, backend: 'nft', reason: /kubelet/ },
  {
    title: "a proxy's chains are stronger than more rules",
    legacy: { proxyChains: 2, rules: 20 },
    nft: { rules: 50 },
    backend: 'legacy',
    ambiguous: true,
    reason: /proxy's chains/,
  },
  {
    title: "hints in both say nothing: then a proxy's chains",
    nft: { kubeletHint: true, proxyChains: 1, rules: 9 },
    legacy: { kubeletHint: true, rules: 90 },
    backend: 'nft',
    ambiguous: true,
    reason: /proxy's chains/,
  },
  { title: 'rules in one alone', legacy: { rules: 3 }, backend: 'legacy', reason: /most rules .*nft 0, legacy 3/ },
  {
    title: 'rules in both: the one with more, and it is said',
    nft: { rules: 4 },
    legacy: { rules: 3 },
    backend: 'nft',
    ambiguous: true,
    reason: /nft 4, legacy 3/,
  },
  {
    title: 'as many in both',
    nft: { rules: 3, proxyChains: 1 },
    legacy: { rules: 3, proxyChains: 1 },
    plain: 'legacy',
    backend: 'legacy',
    ambiguous: true,
    reason: /plain iptables/,
  },
]

describe('chooseBackend', () => {
  for (const { title, nft, legacy, plain, backend, ambiguous = false, reason } of rows) {
    it(title, () => {
      const choice = chooseBackend({ nft: { ...nothing, ...nft }, legacy: { ...nothing, ...legacy }, plain })
      assert.equal(choice.backend, backend)
      assert.equal(choice.ambiguous, ambiguous)
      assert.match(choice.reason, reason)
      assert.deepEqual(
        choice.notes,
        [nft?.note, legacy?.note].filter(note => note !== undefined),
      )
    })
  }
})

interface Host {
  /** What /proc/net/ip_tables_names says; undefined where the file is missing. */
  readonly legacyTables?: string
  /** Output of a command by its argv; a missing one does not exist on this host. */
  readonly tools: Readonly<Record<string, string>>
}

async function probe({ legacyTables, tools }: Host, family: 'IPv4' | 'IPv6' = 'IPv4') {
  const commands: string[] = []
  const exec: Exec = async ({ argv }) => {
    const command = argv.join(' ')
    commands.push(command)
    const stdout = tools[command]
    if (stdout !== undefined) return { stdout, stderr: '', milliseconds: 0 }
    throw new CommandError({ argv, failure: 'not found', stderr: '', reason: 'no such program' })
  }
  const procNet = await mkdtemp(join(tmpdir(), 'proc-net-'))
  try {
    if (legacyTables !== undefined)
      await writeFile(join(procNet, family === 'IPv4' ? 'ip_tables_names' : 'ip6_tables_names'), legacyTables)
    return { choice: await probeBackend({ family, exec, procNet }), commands }
  } finally {
    await rm(procNet, { recursive: true })
  }
}

const filterWith = (...lines: readonly string[]): string => ['*filter', ':INPUT ACCEPT [0:0]', ...lines, 'COMMIT', ''].join('\n')
const natWith = (...lines: readonly string[]): string =>
  ['# Generated', '*nat', ':PREROUTING ACCEPT [0:0]', ...lines, 'COMMIT', ''].join('\n')
const versions = { 'iptables-legacy-restore --version': 'v1.8.9 (legacy)', 'iptables --version': 'iptables v1.8.9 (nf_tables)' }

describe('probeBackend', () => {
  it('does not run iptables-legacy-save where the kernel has no legacy table: it would make one', async () => {
    for (const legacyTables of [undefined, '', '\n']) {
      const host = { tools: { ...versions, 'iptables-nft-save': '' }, ...(legacyTables === undefined ? {} : { legacyTables }) }
      const { choice, commands } = await probe(host)
      assert.equal(choice.backend, 'nft')
      assert.ok(!commands.includes('iptables-legacy-save'), commands.join())
    }
  })

  it('counts the rules of all tables of both backends', async () => {
    const { choice } = await probe({
      legacyTables: 'nat\nfilter\n',
      tools: {
        ...versions,
        'iptables-nft-save': filterWith('-A INPUT -j ACCEPT') + natWith('-A PREROUTING -j ACCEPT'),
        'iptables-legacy-save':
          filterWith('-A INPUT -j ACCEPT', '-A INPUT -j DROP') + natWith('-A PREROUTING -j ACCEPT', '-A PREROUTING -j DROP'),
      },
    })
    assert.equal(choice.backend, 'legacy')
    assert.match(choice.reason, /nft 2, legacy 4/)
    assert.equal(choice.ambiguous, true)
  })

  it("sees kubelet's hint in any table", async () => {
    for (const [chain, save] of [
      ['KUBE-IPTABLES-HINT', '*mangle\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n'],
      ['KUBE-KUBELET-CANARY', `${filterWith()}*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n`],
    ]) {
      const { choice } = await probe({
        legacyTables: 'mangle\n',
        tools: { ...versions, 'iptables-nft-save': filterWith('-A INPUT -j ACCEPT'), 'iptables-legacy-save': save ?? '' },
      })
      assert.equal(choice.backend, 'legacy', chain)
      assert.match(choice.reason, /kubelet/)
    }
  })

  it("sees a proxy's chains", async () => {
    const { choice } = await probe({
      legacyTables: 'nat\n',
      tools: {
        ...versions,
        'iptables-nft-save': natWith('-A PREROUTING -j A', '-A PREROUTING -j B'),
        'iptables-legacy-save': natWith(':KUBE-SERVICES - [0:0]'),
      },
    })
    assert.equal(choice.backend, 'legacy')
  })

  it('asks what plain iptables is only where no rules tell', async () => {
    const empty = await probe({
      tools: { ...versions, 'iptables-nft-save': '', 'iptables --version': 'iptables v1.8.9 (legacy)' },
    })
    assert.equal(empty.choice.backend, 'legacy')
    const used = await probe({ tools: { ...versions, 'iptables-nft-save': filterWith('-A INPUT -j ACCEPT') } })
    assert.equal(used.choice.backend, 'nft')
    assert.ok(!used.commands.includes('iptables --version'))
  })

  it('takes what works, and notes what does not with its reason', async () => {
    const { choice } = await probe({ tools: { 'iptables-legacy-restore --version': 'v1.8.9 (legacy)' } })
    assert.equal(choice.backend, 'legacy')
    assert.deepEqual(choice.notes, ['iptables-nft-save: no such program'])
  })

  it('asks the programs of its family', async () => {
    const { choice, commands } = await probe(
      { tools: { 'ip6tables-nft-save': '', 'ip6tables-legacy-restore --version': '' } },
      'IPv6',
    )
    assert.equal(choice.backend, 'nft')
    assert.ok(commands.every(command => command.startsWith('ip6tables')))
  })

  it('does not swallow an error that is no failed command', async () => {
    const exec: Exec = () => Promise.reject(new RangeError('a bug'))
    await assert.rejects(probeBackend({ family: 'IPv4', exec, procNet: '/nonexistent' }), RangeError)
  })
})
