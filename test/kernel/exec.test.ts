// Real, small commands: what goes in, what comes out, and what each way to fail is called.
import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CommandError, type CommandFailure, createExec, watchLines } from '../../src/kernel/exec.ts'

const exec = createExec()
const shell = (script: string, input?: string) => exec({ argv: ['sh', '-c', script], ...(input === undefined ? {} : { input }) })

describe('a command that works', () => {
  it('gives its output untouched, the final newline too, and how long it took', async () => {
    const result = await shell('echo out; echo err >&2')
    assert.equal(result.stdout, 'out\n')
    assert.equal(result.stderr, 'err\n')
    assert.ok(result.milliseconds >= 0)
  })
  it('gets its input, or none: it never waits for ours', async () => {
    assert.equal((await exec({ argv: ['cat'], input: 'a\nb' })).stdout, 'a\nb')
    assert.equal((await exec({ argv: ['cat'] })).stdout, '')
  })
  it('gets 32 MB through and back', async () => {
    const input = 'x'.repeat(32 * 1024 * 1024)
    const { stdout } = await exec({ argv: ['cat'], input })
    assert.ok(stdout === input)
  })
  it('speaks English: what we read of its output must not depend on the locale', async () => {
    assert.equal((await shell('printf %s "$LC_ALL"')).stdout, 'C')
  })
  it('gets its arguments as they are, with no shell between', async () => {
    assert.equal((await exec({ argv: ['printf', '%s|', 'a b', '$HOME', '*'] })).stdout, 'a b|$HOME|*|')
  })
  it('gets more of its input when it has read what came before', async () => {
    let given = 0
    const more = (function* () {
      for (; given < 100; given++) yield `${given} ${'x'.repeat(100_000)}\n`
    })()
    const first = await exec({ argv: ['head', '-c', '6'], input: 'first\n', more })
    assert.equal(first.stdout, 'first\n')
    assert.ok(given < 100, 'who stops reading is not given all')
    const pieces = Array.from({ length: 40 }, (_, index) => `${index} ${'y'.repeat(100_000)}\n`)
    assert.ok((await exec({ argv: ['cat'], input: 'first\n', more: pieces })).stdout === `first\n${pieces.join('')}`)
  })
  it('hands its output over in pieces as it comes, characters whole, and keeps none of it', async () => {
    const pieces: string[] = []
    const input = 'née → 例\n'.repeat(100_000)
    const { stdout } = await exec({ argv: ['cat'], input, onOutput: piece => pieces.push(piece) })
    assert.equal(stdout, '')
    assert.ok(pieces.length > 1)
    assert.ok(pieces.join('') === input)
  })
  it('ends where its output is refused, with the reason', async () => {
    const refuse = (): never => {
      throw new RangeError('not this')
    }
    await assert.rejects(exec({ argv: ['sh', '-c', 'while echo x; do :; done'], onOutput: refuse }), new RangeError('not this'))
  })
  it('fails as any other while its output is handed over', async () => {
    const onOutput = (): void => {}
    await assert.rejects(exec({ argv: ['no-such-program'], onOutput }), { name: 'CommandError', failure: 'not found' })
    await assert.rejects(exec({ argv: ['sh', '-c', 'echo x; exit 3'], onOutput }), { name: 'CommandError', failure: 'failed' })
  })
  it('is ended by its signal, which is an error', async () => {
    const stop = new AbortController()
    const running = exec({ argv: ['sleep', '60'], signal: stop.signal })
    stop.abort()
    await assert.rejects(running, CommandError)
  })
  it('may end without reading its input', async () => {
    assert.equal((await shell('exit 0', 'x'.repeat(1024 * 1024))).stdout, '')
  })
})

describe('a prefix', () => {
  it('goes before every command', async () => {
    const prefixed = createExec({ prefix: ['env', 'WORD=hello'] })
    assert.equal((await prefixed({ argv: ['sh', '-c', 'printf %s "$WORD"'] })).stdout, 'hello')
  })
  it('is not part of the name by which an error calls the command', async () => {
    const prefixed = createExec({ prefix: ['env', 'WORD=hello'] })
    await assert.rejects(prefixed({ argv: ['sh', '-c', 'exit 1'] }), { message: /^sh -c exit 1: / })
  })
})

interface Row {
  readonly title: string
  readonly argv: readonly string[]
  readonly input?: string
  readonly failure: CommandFailure
  /** What the message says after the command. */
  readonly says: RegExp
  readonly stderr?: string
}

const rows: readonly Row[] = [
  {
    title: 'an exit status with words',
    argv: ['sh', '-c', 'echo "bad rule" >&2; exit 2'],
    failure: 'failed',
    says: /: bad rule$/,
    stderr: 'bad rule',
  },
  { title: 'an exit status without a word', argv: ['sh', '-c', 'exit 3'], failure: 'failed', says: /: .*\b3\b/, stderr: '' },
  { title: 'a signal', argv: ['sh', '-c', 'kill -KILL $$'], failure: 'failed', says: /SIGKILL/ },
  {
    title: 'no such program',
    argv: ['no-such-iptables-restore'],
    failure: 'not found',
    says: /no such program; install .*no-such-iptables-restore/,
  },
  {
    title: 'no permission, as iptables says it',
    argv: ['sh', '-c', 'echo "Could not fetch rule set generation id: Permission denied (you must be root)" >&2; exit 4'],
    failure: 'not permitted',
    says: /not permitted \(Could not fetch .*\); run as root or with CAP_NET_ADMIN/,
  },
  {
    title: 'the lock that somebody else holds',
    argv: ['sh', '-c', 'echo "Another app is currently holding the xtables lock; still 9s" >&2; exit 4'],
    failure: 'busy',
    says: /another program holds the xtables lock/,
  },
  {
    title: 'a resource that is busy',
    argv: ['sh', '-c', 'echo "iptables: Resource temporarily unavailable." >&2; exit 4'],
    failure: 'busy',
    says: /xtables lock/,
  },
  {
    title: 'a failure before all of a large input was read: its own words, not those of the pipe',
    argv: ['sh', '-c', 'echo "line 1 failed" >&2; exit 1'],
    input: 'x'.repeat(8 * 1024 * 1024),
    failure: 'failed',
    says: /: line 1 failed$/,
    stderr: 'line 1 failed',
  },
  {
    title: 'many words: the first three lines and how many more',
    argv: ['sh', '-c', 'for i in 1 2 3 4 5 6; do echo "word $i" >&2; done; exit 1'],
    failure: 'failed',
    says: /: word 1; word 2; word 3 \(3 more lines\)$/,
  },
]

describe('a command that fails', () => {
  for (const { title, argv, input, failure, says, stderr } of rows) {
    it(`names itself and the reason: ${title}`, async () => {
      const error = await failureOf(exec({ argv, ...(input === undefined ? {} : { input }) }))
      assert.equal(error.failure, failure)
      assert.ok(error.message.startsWith(`${argv.join(' ')}: `), error.message)
      assert.match(error.message, says)
      assert.deepEqual(error.argv, argv)
      if (stderr !== undefined) assert.equal(error.stderr, stderr)
    })
  }

  it('is killed after its time', async () => {
    const impatient = createExec({ timeoutMs: 100 })
    const error = await failureOf(impatient({ argv: ['sleep', '600'] }))
    assert.equal(error.failure, 'timed out')
    assert.match(error.message, /^sleep 600: killed after \d+ s/)
  })

  it('is not permitted where the file cannot be executed, and the message says which', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'exec-'))
    try {
      const tool = join(folder, 'iptables-restore')
      await writeFile(tool, '#!/bin/sh\n')
      await chmod(tool, 0o600)
      const error = await failureOf(exec({ argv: [tool] }))
      assert.equal(error.failure, 'not permitted')
      assert.ok(error.message.startsWith(`${tool}: not permitted (`))
      assert.doesNotMatch(error.message, /\(\)/, 'says why')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('needs a name', async () => {
    await assert.rejects(exec({ argv: [] }), TypeError)
  })
})

async function failureOf(run: Promise<unknown>): Promise<CommandError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof CommandError, `it did not fail as it should: ${error}`)
  return error
}

describe('watchLines', () => {
  it('gives lines as they come, until it is told to end', async () => {
    const ends = new AbortController()
    const lines: string[] = []
    const onLine = (line: string): void => {
      lines.push(line)
      if (lines.length === 2) ends.abort()
    }
    await watchLines(['sh', '-c', 'echo one; echo two; exec sleep 600'], { onLine, signal: ends.signal })
    assert.deepEqual(lines, ['one', 'two'])
  })

  it('fails as any command does', async () => {
    const quiet = { onLine: () => {}, signal: new AbortController().signal }
    await assert.rejects(watchLines(['no-such-program'], quiet), { name: 'CommandError', failure: 'not found' })
    await assert.rejects(watchLines(['sh', '-c', 'echo no >&2; exit 3'], quiet), { name: 'CommandError', stderr: 'no' })
  })
})
