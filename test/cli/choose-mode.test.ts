// Which mode runs where ipvs mode was asked for: with all that it needs, without it, and without it where iptables mode may stand in.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { chooseMode } from '../../src/cli/choose-mode.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { CommandError, type Exec } from '../../src/kernel/exec.ts'

function configured(mode: Config['mode'], whenUnavailable: 'fail' | 'fallback'): Config {
  const { config } = loadConfig({ flags: { 'proxy-mode': mode }, readFile: () => '', hostname: 'node1' })
  assert.ok(config !== undefined)
  return { ...config, ipvs: { ...config.ipvs, whenUnavailable } }
}

const capable: Exec = async () => ({ stdout: '', stderr: '', milliseconds: 1 })
const bare: Exec = async ({ argv }) => {
  throw new CommandError({ argv, failure: 'not found', stderr: '', reason: 'no such program' })
}

describe('chooseMode', () => {
  const lines: { level: string; msg: string }[] = []
  const log = pino(
    { level: 'info', formatters: { level: level => ({ level }) } },
    { write: (line: string) => lines.push(JSON.parse(line)) },
  )
  const errors = (): readonly string[] => lines.splice(0).flatMap(({ level, msg }) => (level === 'error' ? [msg] : []))

  it('asks nothing where iptables mode is configured', async () => {
    assert.deepEqual(await chooseMode({ config: configured('iptables', 'fail'), exec: bare, log }), { mode: 'iptables' })
    assert.deepEqual(lines, [])
  })

  it('takes ipvs mode where it can work', async () => {
    const chosen = await chooseMode({ config: configured('ipvs', 'fail'), exec: capable, log })
    assert.ok(chosen.mode === 'ipvs')
    assert.deepEqual(chosen.support.missing, [])
    assert.deepEqual(errors(), [])
  })

  it('says what is missing and what to do', async () => {
    const expected =
      /mode: ipvs cannot work on this host: .*apt-get install ipvsadm.*; provide that, or set mode: iptables, or ipvs\.unavailable: fallback in switchyard\.conf$/
    await assert.rejects(chooseMode({ config: configured('ipvs', 'fail'), exec: bare, log }), expected)
  })

  it('tells who only looks what the daemon would do where it cannot be told', async () => {
    lines.splice(0)
    for (const [whenUnavailable, expected] of [
      ['fail', /^cannot tell whether this kernel has .*; taken as there\. Where it has not, 'switchyard run' does not start$/],
      ['fallback', /Where it has not, 'switchyard run' runs in iptables mode instead$/],
    ] as const) {
      const support = {
        missing: [],
        missingSchedulers: new Set<string>(),
        notes: [],
        doubts: ['cannot tell whether this kernel has x; taken as there'],
      }
      const looking = {
        config: configured('ipvs', whenUnavailable),
        exec: capable,
        log,
        mayLoad: false,
        probe: async () => support,
      }
      assert.equal((await chooseMode(looking)).mode, 'ipvs')
      const said = lines.splice(0).map(({ msg }) => msg)
      assert.match(said[0] ?? '', expected)
    }
    const fallback = { config: configured('ipvs', 'fallback'), exec: bare, log, mayLoad: false }
    assert.equal((await chooseMode(fallback)).mode, 'iptables')
    assert.match(errors().join('\n'), /'switchyard run' runs in iptables mode instead \(ipvs\.unavailable: fallback\)/)
  })

  it('falls back to iptables mode where it may, and says so as an error', async () => {
    const chosen = await chooseMode({ config: configured('ipvs', 'fallback'), exec: bare, log })
    const [message = '', ...more] = errors()
    const insteadBecause = message.replace(/\. Running in iptables mode instead .*/, '')
    assert.deepEqual(chosen, { mode: 'iptables', insteadBecause })
    assert.match(message, /^mode: ipvs cannot work .*\. Running in iptables mode instead .*; \/proxyMode says iptables$/)
    assert.deepEqual(more, [])
  })
})
