// The completion scripts: bash's in a real bash, all of them beside the tables of the commands. And that every command explains itself.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { execa } from 'execa'
import { commands } from '../../src/cli/commands.ts'
import { main as completion } from '../../src/cli/completion.ts'
import { main as help, noSuchCommand } from '../../src/cli/help.ts'

interface Said {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** What a command prints. The test runner speaks through the same stream, in bytes. */
async function said(context: TestContext, start: () => Promise<number>): Promise<Said> {
  const written = { out: '', err: '' }
  const capture = (stream: NodeJS.WriteStream, name: 'out' | 'err'): void => {
    const write = stream.write.bind(stream)
    context.mock.method(stream, 'write', (data: string | Uint8Array) => {
      if (typeof data !== 'string') return write(data)
      written[name] += data
      return true
    })
  }
  capture(process.stdout, 'out')
  capture(process.stderr, 'err')
  try {
    return { status: await start(), ...written }
  } finally {
    context.mock.restoreAll()
  }
}

const scriptOf = async (context: TestContext, shell: string): Promise<string> => {
  const { status, out, err } = await said(context, () => completion([shell]))
  assert.deepEqual([status, err], [0, ''])
  return out
}

/** What bash offers after these words, the last of which is being typed. */
async function complete(script: string, lines: readonly (readonly string[])[]): Promise<readonly string[]> {
  const asked = lines.map(words => {
    const quoted = words.map(word => `'${word}'`).join(' ')
    return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _switchyard; echo "\${COMPREPLY[*]}"`
  })
  const { stdout } = await execa('bash', ['--norc', '-uc', `${script}\n${asked.join('\n')}`])
  return stdout.split('\n')
}

describe('completion in bash', () => {
  it('offers commands, flags and the words of flags', async context => {
    const rows: readonly (readonly [readonly string[], string])[] = [
      [[''], Object.keys(commands).join(' ')],
      [['stat'], 'status'],
      [['status', 'ser'], 'services'],
      [['status', '--wa'], '--watch'],
      [['status', '-o', ''], 'text json'],
      [['status', '--output', 'j'], 'json'],
      // Bash takes `--flag=value` apart.
      [['status', '--output', '=', 'j'], 'json'],
      [['status', '--output', '='], 'text json'],
      [['status', '--watch', ''], ''],
      [['status', '--watch', '='], ''],
      [['completion', ''], 'bash zsh fish'],
      [['help', 'cl'], 'cleanup'],
      // Without a command it is the daemon.
      [['--proxy-m'], '--proxy-mode'],
      [['--proxy-mode', ''], 'iptables ipvs'],
      [['run', '--version', '='], 'true false raw'],
      [['run', '--version', ''], ''],
      [['run', '--iptables-sync-period', ''], ''],
      [['--config', '/etc/passw'], '/etc/passwd'],
      [['--config', '=', '/etc/passw'], '/etc/passwd'],
    ]
    const offered = await complete(
      await scriptOf(context, 'bash'),
      rows.map(([words]) => ['switchyard', ...words]),
    )
    assert.equal(offered.length, rows.length)
    for (const [index, [words, expected]] of rows.entries()) {
      const found = words.includes('/etc/passw')
        ? (offered[index]
            ?.split(' ')
            .filter(path => path === expected)
            .join() ?? '')
        : offered[index]
      assert.equal(found, expected, words.join(' '))
    }
  })

  it('is taken by bash as the completion of switchyard', async context => {
    const { stdout } = await execa('bash', ['--norc', '-uc', `${await scriptOf(context, 'bash')}\ncomplete -p switchyard`])
    assert.equal(stdout, 'complete -F _switchyard switchyard')
  })
})

describe('every shell', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    it(`gets every command and every flag with its words: ${shell}`, async context => {
      const script = await scriptOf(context, shell)
      for (const [name, { about, load }] of Object.entries(commands)) {
        if (shell !== 'bash') assert.ok(script.includes(about.replaceAll("'", shell === 'zsh' ? "'\\''" : "\\'")), about)
        const { flags, words = [] } = await load()
        for (const word of words) assert.match(script, new RegExp(`\\b${word}\\b`))
        for (const [flag, { type }] of Object.entries(flags)) {
          const spelt =
            shell === 'fish' ? (flag.length === 1 ? `-s ${flag} ` : `-l ${flag} `) : flag.length === 1 ? `-${flag}` : `--${flag}`
          assert.ok(script.includes(spelt), `${name} ${flag}`)
          if (type.words !== undefined && type.bare === undefined)
            assert.ok(script.includes(type.words.join(' ')), `${name} ${flag}`)
        }
      }
    })
  }

  it('is one that there is', async context => {
    for (const argv of [[], ['tcsh'], ['bash', 'zsh'], ['--bogus']]) {
      const { status, out, err } = await said(context, () => completion(argv))
      assert.deepEqual([status, out], [64, ''], argv.join(' '))
      assert.match(err, /^switchyard: /)
    }
  })
})

describe('help', () => {
  for (const name of Object.keys(commands)) {
    it(`of ${name} has a usage, examples and exit statuses, by --help and by help`, async context => {
      const command = await commands[name]?.load()
      assert.ok(command !== undefined)
      const { status, out, err } = await said(context, () => command.main(['--help']))
      assert.deepEqual([status, err], [0, ''])
      assert.match(out, /^Usage: switchyard/)
      assert.match(out, /^Exit status[^:]*: 0 /m)
      assert.match(out, /^Examples:\n( {2}.*switchyard.*\n)+/m)
      // It is about this command.
      if (name !== 'help') assert.match(out, new RegExp(`^Usage: switchyard ${name}\\b`))
      assert.deepEqual(await said(context, () => help([name])), { status, out, err })
    })
  }

  it('names every command', async context => {
    const { status, out } = await said(context, () => help([]))
    assert.equal(status, 0)
    for (const [name, { about }] of Object.entries(commands))
      assert.match(out, new RegExp(`^ {2}${name} +${about.slice(0, 20)}`, 'm'))
  })

  it('names every command where only flags are given, and says where a command belongs', async context => {
    const run = await commands['run']?.load()
    assert.ok(run !== undefined)
    const { out } = await said(context, () => run.main(['--help']))
    for (const name of Object.keys(commands)) assert.match(out, new RegExp(`^ {2}${name} +\\w`, 'm'))
    const { status, err } = await said(context, () => run.main(['--config', 'config.yaml', 'plan']))
    assert.deepEqual([status, err], [64, 'switchyard: the command comes first: switchyard plan [FLAGS]\n'])
  })

  it('says what may have been meant', async context => {
    assert.equal(noSuchCommand('stauts'), 'there is no command "stauts"; did you mean `switchyard status`?')
    assert.match(noSuchCommand('version'), /`switchyard --version` prints it$/)
    assert.match(noSuchCommand('frobnicate'), /`switchyard help` lists the commands$/m)
    for (const argv of [['stats'], ['run', 'status'], ['--bogus']]) {
      const { status, out } = await said(context, () => help(argv))
      assert.deepEqual([status, out], [64, ''], argv.join(' '))
    }
  })
})
