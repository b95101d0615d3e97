// Every scenario that was recorded in IPVS mode, applied to a real kernel and read back, equals what kube-proxy programmed; applied again, it writes
// nothing. What differs on purpose is taken out by name, and nothing else.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import { tableSection, tables, toolsOf } from '../../src/kernel/iptables.ts'
import type { IpFamily } from '../../src/model/address.ts'
import { type IpvsMode, ipvsMode } from '../../src/modes/ipvs/index.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import { comparableRules, comparableServers, comparableSets } from './ipvs-compare.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { ipvsScenarioNames, loadScenario, type Scenario } from './scenario.ts'

/** One family: the other one's virtual servers, sets and addresses are not there. */
export function defineGoldenTests(family: IpFamily): void {
  const names = ipvsScenarioNames()

  it('has all 40 scenarios of ipvs mode', () => assert.equal(names.length, 40))

  // One scenario follows the other in the same namespace, so each is also a large change of the one before. Nothing drains here.
  describe(`ipvs mode programs, ${family},`, () => {
    let namespace: Namespace
    let held: Held | undefined
    before(async () => {
      namespace = await createNamespace('golden')
      // Without an address of its own a namespace has no table of local routes, and IPVS takes no real server.
      await createExec({ prefix: namespace.prefix })({ argv: ['ip', 'link', 'set', 'lo', 'up'] })
    })
    after(() => namespace[Symbol.asyncDispose]())

    for (const name of names) {
      it(`${name} as kube-proxy does, and nothing the second time`, async () => {
        const exec = createExec({ prefix: namespace.prefix })
        const scenario = loadScenario(name)
        await sync({ scenario, family, exec: knowing(held, exec) })
        held = await readKernel(family, exec)
        check({ scenario, family, held })
        const again = await sync({ scenario, family, exec: answering(held) })
        assert.equal(again.lines, 0, 'a restart over an unchanged kernel writes nothing')
      })
    }
  })
}

function check({ scenario, family, held }: { scenario: Scenario; family: IpFamily; held: Held }): void {
  const golden = (file: string): string => {
    const text = scenario.golden(`ipvs.${file}`)
    assert.ok(text !== undefined, `no golden ${file}`)
    return text
  }
  const lines = (text: string, isOfFamily: (line: string) => boolean): string =>
    text
      .split('\n')
      .filter(line => line === '' || isOfFamily(line) === (family === 'IPv6'))
      .join('\n')
  const servers = lines(golden('services'), line => line.includes('['))
  assert.deepEqual(comparableServers(held('ipvsadm -Sn')), comparableServers(servers), 'virtual servers')
  const sets = lines(golden('ipset'), line => line.includes(' KUBE-6-'))
  assert.deepEqual(comparableSets(held('ipset save')), comparableSets(sets), 'sets')
  const addresses = lines(golden('addresses'), line => line.startsWith('inet6 '))
  assert.deepEqual(addressesOn(held, family), addresses.split('\n').filter(isNotEmpty).toSorted(), 'addresses')
  for (const table of tables) {
    const actual = comparableRules(tableSection(held(toolsOf(family, 'legacy').save), table))
    assert.deepEqual(actual, comparableRules(golden(`${family.toLowerCase()}.${table}`)), `${table} table`)
  }
}

function isNotEmpty(line: string): boolean {
  return line !== ''
}

type Held = (command: string) => string

/** All that a restart would read, by one process: in user-mode Linux a process costs more than what it does. */
async function readKernel(family: IpFamily, exec: Exec): Promise<Held> {
  const commands = modeOf(family)
    .queries('everything')
    .map(({ argv }) => argv.join(' '))
  const { stdout } = await exec({ argv: ['sh', '-ec', commands.join('\necho =====\n')] })
  const outputs = stdout.split('=====\n')
  return command => {
    const output = outputs[commands.indexOf(command)]
    assert.ok(output !== undefined, `not read: ${command}`)
    return output
  }
}

/** What the kernel said a moment ago; whoever wants to change it fails. */
function answering(held: Held): Exec {
  return async ({ argv }) => ({ stdout: held(argv.join(' ')), stderr: '', milliseconds: 0 })
}

/** The same for as long as nothing was changed; from then on the kernel itself. */
function knowing(held: Held | undefined, exec: Exec): Exec {
  let isUnchanged = held !== undefined
  return command => {
    isUnchanged &&= command.input === undefined
    return isUnchanged && held !== undefined ? answering(held)(command) : exec(command)
  }
}

function addressesOn(held: Held, family: IpFamily): readonly string[] {
  const output = held(`ip ${family === 'IPv4' ? '-4' : '-6'} -o addr show type dummy`)
  return [...output.matchAll(/ kube-ipvs0 +(inet6? [0-9a-f.:]+\/\d+)/g)].map(([, address = '']) => address).toSorted()
}

function modeOf(family: IpFamily): IpvsMode {
  return ipvsMode({ family, tools: toolsOf(family, 'legacy'), abilities: { hasScheduler: () => true } })
}

/** As a daemon that has just been started does it. */
async function sync({ scenario, family, exec }: { scenario: Scenario; family: IpFamily; exec: Exec }) {
  const mode = modeOf(family)
  const { cluster, node } = scenario
  const settings = { ...scenario.settings, ipvs: { ...scenario.settings.ipvs, drainDeadlineMs: 0 } }
  const familySync = new FamilySync({ mode, exec, cluster, events: createSyncEmitter(), now: () => performance.now() })
  return familySync.pass({ node, settings, sweep: true })
}
