// A plan meets the tools: what is fed, what is counted, and whose fault a failure is.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandError, type CommandFailure, type Exec } from '../../src/kernel/exec.ts'
import { emptyPlan, type Step } from '../../src/kernel/plan.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { ApplyError, applyPlan, runQueries } from '../../src/sync/apply.ts'

const web = 'default/web' as ServiceKey
const step: Step = {
  why: 'a test',
  argv: ['iptables-restore', '--noflush'],
  input: [
    { owner: undefined, lines: ['*nat'] },
    { owner: web, lines: [':A - [0:0]', '-A A -j B'] },
    { owner: undefined, lines: ['-I C -j D', '-D C -j E', 'COMMIT'] },
    { owner: undefined, lines: ['*filter', '-A F -j DROP', 'COMMIT'] },
  ],
}
const text = '*nat\n:A - [0:0]\n-A A -j B\n-I C -j D\n-D C -j E\nCOMMIT\n*filter\n-A F -j DROP\nCOMMIT\n'

/** Answers the n-th command with the n-th reply: standard error of a failure, or undefined for success in 7 ms. */
function scripted(...replies: readonly (readonly [CommandFailure, string] | undefined)[]) {
  const commands: { readonly argv: readonly string[]; readonly input: string | undefined }[] = []
  const exec: Exec = async ({ argv, input }) => {
    const reply = replies[commands.length]
    commands.push({ argv, input })
    if (reply === undefined) return { stdout: `out ${commands.length}`, stderr: '', milliseconds: 7 }
    const [failure, stderr] = reply
    throw new CommandError({ argv, failure, stderr, reason: stderr })
  }
  return { exec, commands }
}

async function failure(run: Promise<unknown>): Promise<ApplyError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ApplyError)
  return error
}

describe('applyPlan', () => {
  it('feeds every line of every step, in order, and counts', async () => {
    const { exec, commands } = scripted()
    const applied = await applyPlan({ ...emptyPlan, steps: [step, step], written: 3, removed: 2 }, exec)
    assert.deepEqual(
      commands,
      [step, step].map(({ argv }) => ({ argv, input: text })),
    )
    assert.deepEqual(applied, { lines: 18, written: 3, removed: 2, milliseconds: 14, rules: { nat: 4, filter: 2 } })
  })

  it('renders a large input while the tool reads it, and counts all of it', async () => {
    let rendered = 0
    const large: Step = {
      ...step,
      input: {
        *[Symbol.iterator]() {
          yield { owner: undefined, lines: ['*nat'] }
          for (; rendered < 25_000; rendered++) yield { owner: web, lines: [`-A A ${rendered}`] }
          yield { owner: undefined, lines: ['COMMIT'] }
        },
      },
    }
    let text = ''
    const exec: Exec = async ({ input = '', more = [] }) => {
      assert.ok(rendered < 15_000, 'not all before the tool starts')
      text = `${input}${[...more].join('')}`
      return { stdout: '', stderr: '', milliseconds: 7 }
    }
    const applied = await applyPlan({ ...emptyPlan, steps: [large] }, exec)
    assert.equal(text, `*nat\n${Array.from({ length: 25_000 }, (_, index) => `-A A ${index}\n`).join('')}COMMIT\n`)
    assert.deepEqual([applied.lines, applied.rules], [25_002, { nat: 25_000 }])
  })

  it('runs nothing for an empty plan', async () => {
    const { exec, commands } = scripted()
    assert.deepEqual(await applyPlan(emptyPlan, exec), { lines: 0, written: 0, removed: 0, milliseconds: 0, rules: {} })
    assert.deepEqual(commands, [])
  })

  it('counts rules of iptables alone', async () => {
    const servers: Step = { ...step, argv: ['ipvsadm', '-R'], input: [{ owner: web, lines: ['-A -t 10.96.0.7:80 -s rr'] }] }
    assert.deepEqual((await applyPlan({ ...emptyPlan, steps: [servers] }, scripted().exec)).rules, {})
  })

  it('stops at the first step that fails', async () => {
    const { exec, commands } = scripted(undefined, ['failed', 'line 3 failed'])
    const error = await failure(applyPlan({ ...emptyPlan, steps: [step, step, step] }, exec))
    assert.equal(commands.length, 2)
    assert.equal(error.step, step)
  })

  const culprits: readonly (readonly [title: string, stderr: string, culprit: ServiceKey | undefined, says: RegExp])[] = [
    ['a line of a Service', 'line 3: RULE_APPEND failed (Invalid argument): rule in chain A', web, / at `-A A -j B`$/],
    ['a line of a Service, by syntax', 'Error occurred at line: 2', web, / at `:A - \[0:0\]`$/],
    ['a line of nobody', 'line 4: RULE_INSERT failed', undefined, / at `-I C -j D`$/],
    ['the COMMIT line, which says nothing', 'iptables-restore: line 6 failed', undefined, /line 6 failed$/],
    ['a line that is not there', 'line 99 failed', undefined, /line 99 failed$/],
    ['no line', 'unable to initialize table', undefined, /unable to initialize table$/],
  ]
  for (const [title, stderr, culprit, says] of culprits) {
    it(`says whose fault it is, where the tool names ${title}`, async () => {
      const error = await failure(applyPlan({ ...emptyPlan, steps: [step] }, scripted(['failed', stderr]).exec))
      assert.equal(error.culprit, culprit)
      assert.match(error.message, says)
      assert.ok(error.message.startsWith('iptables-restore --noflush: '))
      assert.ok(error.cause instanceof CommandError)
    })
  }

  const blame: Readonly<Record<CommandFailure, boolean>> = {
    failed: true,
    'not found': false,
    'not permitted': false,
    busy: false,
    'timed out': false,
  }
  for (const [kind, blamesInput] of Object.entries(blame) as [CommandFailure, boolean][]) {
    it(`blames ${blamesInput ? 'what was fed' : 'the machine'} for "${kind}"`, async () => {
      const error = await failure(applyPlan({ ...emptyPlan, steps: [step] }, scripted([kind, '']).exec))
      assert.equal(error.blamesInput, blamesInput)
    })
  }

  it('passes on what is no failed command', async () => {
    const exec: Exec = () => Promise.reject(new RangeError('a bug'))
    await assert.rejects(applyPlan({ ...emptyPlan, steps: [step] }, exec), RangeError)
  })
})

describe('a tool that ends well although it did not do everything', () => {
  const api = 'default/api' as ServiceKey
  const missing = [
    { owner: api, lines: ['-A -t 10.96.0.8:80 -s rr'] },
    { owner: web, lines: ['-A -t 10.96.0.7:80 -s rr'] },
  ]
  const stepWith = (when: 'always' | 'complaint', lacks: boolean): Step => {
    const answer = (output: string) => (output === 'kernel' && lacks ? missing : [])
    return { ...step, argv: ['ipvsadm', '-R'], readBack: { when, query: { argv: ['ipvsadm', '-Sn'] }, missing: answer } }
  }
  const run = async (when: 'always' | 'complaint', { stderr = '', lacks = true }) => {
    const commands: string[] = []
    const exec: Exec = async ({ argv }) => {
      commands.push(argv.join(' '))
      const isQuery = argv.includes('-Sn')
      return { stdout: isQuery ? 'kernel' : '', stderr: isQuery ? '' : stderr, milliseconds: 1 }
    }
    const applied = applyPlan({ ...emptyPlan, steps: [stepWith(when, lacks)] }, exec)
    return {
      commands,
      error: await applied.then(
        () => undefined,
        (error: unknown) => error,
      ),
    }
  }

  it('is not asked about where it says nothing and need not be', async () => {
    assert.deepEqual(await run('complaint', {}), { commands: ['ipvsadm -R'], error: undefined })
  })
  it('is asked about where it complains, or in any case', async () => {
    const asked = ['ipvsadm -R', 'ipvsadm -Sn']
    assert.deepEqual(await run('complaint', { stderr: 'Service already exists', lacks: false }), {
      commands: asked,
      error: undefined,
    })
    assert.deepEqual(await run('always', { lacks: false }), { commands: asked, error: undefined })
  })
  for (const stderr of ['Memory allocation problem\n', '']) {
    it(`fails for what is missing, and names the first owner, having said ${stderr === '' ? 'nothing' : 'something'}`, async () => {
      const { error } = await run('always', { stderr })
      assert.ok(error instanceof ApplyError)
      assert.equal(error.culprit, api)
      assert.equal(error.blamesInput, true)
      const says = stderr === '' ? 'it said nothing, but its input' : 'Memory allocation problem'
      assert.equal(error.message, `ipvsadm -R: ${says} is not in effect: \`-A -t 10.96.0.8:80 -s rr\` (and 1 more)`)
    })
  }
})

describe('runQueries', () => {
  it('gives the outputs in the order of the queries', async () => {
    const { exec } = scripted()
    assert.deepEqual(await runQueries([{ argv: ['a'] }, { argv: ['b'] }], exec), ['out 1', 'out 2'])
  })
  it('fails where one fails', async () => {
    const { exec } = scripted(undefined, ['failed', 'no such chain'])
    await assert.rejects(runQueries([{ argv: ['a'] }, { argv: ['b'] }], exec), CommandError)
  })
})
