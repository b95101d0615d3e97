// What a real bash completes with our script; the other shells' scripts name the same.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { execa } from 'execa'
import { commands } from '../../src/cli/commands.ts'

const program = new URL('../../bin/switchyard', import.meta.url).pathname

describe('completion', () => {
  let script = ''
  before(async () => {
    script = (await execa(program, ['completion', 'bash'])).stdout
  })

  async function complete(...words: readonly string[]): Promise<readonly string[]> {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash that fills it in
    const asked = 'eval "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _switchyard; printf "%s\\n" "${COMPREPLY[@]}"'
    const { stdout } = await execa('bash', ['-uc', asked, 'bash', script, 'switchyard', ...words])
    return stdout.split('\n').filter(Boolean)
  }

  const cases: readonly (readonly [words: readonly string[], expected: readonly string[]])[] = [
    [['sta'], ['status']],
    [['status', 'ser'], ['services']],
    [['status', '--wat'], ['--watch']],
    [
      ['status', '-o', ''],
      ['text', 'json'],
    ],
    [['status', '--output', '=', 'j'], ['json']],
    [['--proxy-m'], ['--proxy-mode']],
    [['run', '--proxy-mode', 'ipv'], ['ipvs']],
    [['help', 'tra'], ['trace']],
    [['completion', 'f'], ['fish']],
    [['status', 'x'], []],
  ]
  for (const [words, expected] of cases) {
    it(`of ${JSON.stringify(words.join(' '))} is ${JSON.stringify(expected)}`, async () =>
      assert.deepEqual(await complete(...words), expected))
  }

  it('offers every command', async () => assert.deepEqual(await complete(''), Object.keys(commands)))

  it('names every command and flag for fish, and a real bash takes the script of zsh', async () => {
    const { stdout: fish } = await execa(program, ['completion', 'fish'])
    for (const name of Object.keys(commands)) assert.match(fish, new RegExp(`-f -a ${name} -d '`))
    assert.match(fish, /from status' -l output -s o -x -a 'text json' -d/)
    const { stdout: zsh } = await execa(program, ['completion', 'zsh'])
    assert.ok(zsh.startsWith('#compdef switchyard\nautoload -U +X bashcompinit && bashcompinit\n') && zsh.endsWith(script))
  })
})

describe('help', () => {
  for (const name of Object.keys(commands).filter(each => each !== 'help')) {
    it(`of ${name} has examples`, async () => {
      const { stdout } = await execa(program, ['help', name])
      assert.match(stdout, /^Usage: switchyard /)
      assert.match(stdout, /^Examples?:/m)
    })
  }

  it('of an unknown command names the closest', async () => {
    const { stderr, exitCode } = await execa(program, ['statsu'], { reject: false })
    assert.equal(exitCode, 64)
    assert.match(stderr, /^switchyard: no such command: statsu; did you mean status\?/)
  })
})
