// The guest that tests of IPVS run in (scripts/guest): it is as good as a command on this machine, and leaves nothing.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import { poll } from '../support/lab/poll.ts'

const program = new URL('../../scripts/guest', import.meta.url).pathname

/** Two at a time: each takes a processor. */
describe('a guest', { concurrency: 2 }, () => {
  let folder: string
  before(async () => {
    // Not in TMPDIR, which is in the sandbox's /run: a guest has a /run of its own.
    folder = await mkdtemp('/tmp/switchyard-guest-')
  })
  after(() => rm(folder, { recursive: true }))

  test('has the words, the folder, the environment and the name of its caller, and the status of its command', async () => {
    const script = 'echo "$1|$2|$PWD|$GREETING|$(uname -n)"; echo oops >&2; exit 7'
    const { stdout, stderr, exitCode } = await guest(['bash', '-c', script, 'bash', 'a  b', '"$c"'], {
      cwd: folder,
      env: { GREETING: "it's\ngood" },
    })
    const { stdout: name } = await execa('uname', ['-n'])
    assert.equal(stdout, `a  b|"$c"|${folder}|it's\ngood|${name}`)
    assert.equal(stderr, 'oops')
    assert.equal(exitCode, 7)
  })

  test('gives what is written byte for byte, output and errors apart', async () => {
    const file = join(folder, 'bytes')
    const bytes = Buffer.concat([randomBytes(1_000_000), Buffer.from('\r\n')])
    await writeFile(file, bytes)
    const words = ['sh', '-c', `cat ${file} & cat ${file} >&2; wait`]
    const asWritten = { encoding: 'buffer', stripFinalNewline: false, stdin: 'ignore', reject: false } as const
    const { stdout, stderr, exitCode } = await execa(program, words, asWritten)
    assertSameBytes(stdout, bytes, 'output')
    assertSameBytes(stderr, bytes, 'errors')
    assert.equal(exitCode, 0)
  })

  test('shows what is written at once', async () => {
    const running = guest(['sh', '-c', 'echo first; sleep 1000'])
    const line = await new Promise(resolve => running.stdout?.once('data', chunk => resolve(String(chunk))))
    assert.equal(line, 'first\n')
    running.kill('SIGTERM')
    assert.equal((await running).exitCode, 143)
  })

  test('has IPVS with its schedulers, IP sets, dummy links, and SCTP', async () => {
    const uses = [
      'ip link add kube-ipvs0 type dummy',
      'ipset create one hash:ip,port',
      'iptables -A INPUT -m set --match-set one dst,dst -j ACCEPT',
      ...['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh', 'fo', 'ovf'].map(
        (scheduler, position) => `ipvsadm -A -t 10.96.0.${position}:80 -s ${scheduler}`,
      ),
      '[ -e /proc/net/sctp ]',
    ]
    const { stderr, exitCode } = await guest([sandbox, 'sh', '-ec', uses.join('\n')])
    assert.equal(stderr, '')
    assert.equal(exitCode, 0)
  })

  test('lacks the modules that are left out', async () => {
    const script = 'modprobe ip_vs_rr && echo rr; ipvsadm -A -t 10.96.0.1:80 -s mh || echo no mh; modprobe ip_vs_mh'
    const { stdout, stderr } = await guest(['--without', 'ip_vs_mh', '--without', 'ip_vs_s*', sandbox, 'sh', '-c', script])
    assert.equal(stdout, 'rr\nno mh')
    assert.match(stderr, /Module ip_vs_mh not found in directory/)
  })

  test('has its own copy of whatever is written', async () => {
    const file = join(folder, 'written-in-a-guest')
    const { stdout } = await guest(['sh', '-c', `echo hello > ${file}; cat ${file}; sleep 1000 &`])
    assert.equal(stdout, 'hello')
    assert(!existsSync(file))
  })

  test('that dies says so', async () => {
    const { stderr, exitCode } = await guest(['sh', '-c', 'echo c > /proc/sysrq-trigger'])
    assert.equal(exitCode, 125)
    assert.match(stderr, /ended before the command did; .*Kernel panic - not syncing: sysrq triggered crash/s)
  })

  test('is gone with the process that started it', async () => {
    const running = guest(['sleep', '1000'])
    await poll(async () => ((await guestsBelow(running.pid)).length > 0 ? true : undefined), { what: 'user-mode Linux' })
    const before = await guestsBelow(running.pid)
    running.kill('SIGKILL')
    await running
    await poll(() => (before.some(pid => existsSync(`/proc/${pid}`)) ? undefined : true), { what: 'its processes to end' })
  })

  test('refuses what it does not understand', async () => {
    for (const words of [[], ['--nonsense', 'true'], ['--without']]) assert.equal((await guest(words)).exitCode, 64)
    const { stderr, exitCode } = await guest(['--without', 'nosuchmodule', 'true'])
    assert.equal(exitCode, 64)
    assert.match(stderr, /no module nosuchmodule/)
  })
})

const sandbox = new URL('../../scripts/sandbox', import.meta.url).pathname

function guest(
  words: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
) {
  return execa(program, words, { ...options, reject: false, stdin: 'ignore' })
}

/** What differs is told in a line: a megabyte on each side would not be read. */
function assertSameBytes(found: Uint8Array, expected: Uint8Array, what: string): void {
  const first = expected.findIndex((byte, position) => byte !== found[position])
  const difference = `of ${expected.length} bytes ${found.length} came; the first difference is at ${first}`
  const around = Buffer.from(found.subarray(Math.max(0, first - 16), first + 200)).toString('latin1')
  assert(Buffer.compare(found, expected) === 0, `${what}: ${difference}, where it is ${JSON.stringify(around)}`)
}

/** Processes of user-mode Linux that descend from a process. */
async function guestsBelow(ancestor: number | undefined): Promise<readonly number[]> {
  const all = (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number)
  const parents = new Map<number, number>()
  const names = new Map<number, string>()
  for (const pid of all) {
    const [, name, parent] = /\((.*)\) \S (\d+)/.exec(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')) ?? []
    parents.set(pid, Number(parent))
    names.set(pid, name ?? '')
  }
  const descends = (pid: number | undefined): boolean => pid !== undefined && (pid === ancestor || descends(parents.get(pid)))
  return all.filter(pid => names.get(pid)?.startsWith('linux') && descends(pid))
}
