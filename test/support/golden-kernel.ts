// A node on which kube-proxy has programmed one of the recorded scenarios: its kernel answers our queries with what was recorded.
import type { Exec } from '../../src/kernel/exec.ts'
import { tables, toolsOf } from '../../src/kernel/iptables.ts'
import type { IpFamily } from '../../src/model/address.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { ipvsMode } from '../../src/modes/ipvs/index.ts'
import { type PlannedInspection, survey } from '../../src/sync/inspect.ts'
import type { AnyMode } from '../../src/sync/lane.ts'
import type { Scenario } from './scenario.ts'

export type ProxyMode = 'iptables' | 'ipvs'

/** The recorder sorted its lines: sets are made before entries come in. */
function inOrder(sets: string): string {
  const lines = sets.split('\n')
  const isCreation = (line: string): boolean => line.startsWith('create ')
  return [...lines.filter(isCreation), ...lines.filter(line => !isCreation(line))].join('\n')
}

export function goldenKernel(scenario: Scenario, mode: ProxyMode, family: IpFamily): Exec {
  const golden = (file: string): string => {
    const text = scenario.golden(`${mode}.${file}`)
    if (text === undefined) throw new Error(`${scenario.name} has no ${mode}.${file}`)
    return text
  }
  const addresses = (word: 'inet' | 'inet6'): string =>
    golden('addresses')
      .split('\n')
      .filter(line => line.startsWith(`${word} `))
      .map(line => `3: kube-ipvs0    ${line} scope global kube-ipvs0`)
      .join('\n')
  const answers: readonly (readonly [command: RegExp, answer: () => string])[] = [
    [/^ip6?tables-\w+-save$/, () => tables.map(table => golden(`${family.toLowerCase()}.${table}`)).join('\n')],
    [/^ipset save$/, () => inOrder(golden('ipset'))],
    [/^ipvsadm -Sn$/, () => golden('services')],
    [/^ip -o link show /, () => '3: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN mode DEFAULT group default'],
    [/^ip -4 -o addr show /, () => addresses('inet')],
    [/^ip -6 -o addr show /, () => addresses('inet6')],
  ]
  return async ({ argv, input }) => {
    const command = argv.join(' ')
    const answer = answers.find(([pattern]) => pattern.test(command))?.[1]
    if (answer === undefined || input !== undefined) throw new Error(`the recorded kernel cannot be asked: ${command}`)
    return { stdout: answer(), stderr: '', milliseconds: 0 }
  }
}

export function modeNamed(mode: ProxyMode, family: IpFamily): AnyMode {
  const tools = toolsOf(family, 'nft')
  return mode === 'iptables' ? iptablesMode(family, tools) : ipvsMode({ family, tools, abilities: { hasScheduler: () => true } })
}

/** What Switchyard in one mode makes of a kernel for the scenario's cluster. */
export function surveyOf(
  scenario: Scenario,
  exec: Exec,
  { mode, family }: { mode: ProxyMode; family: IpFamily },
): Promise<PlannedInspection> {
  const { cluster, node, settings } = scenario
  return survey({ mode: modeNamed(mode, family), exec, cluster, input: { node, settings, sweep: true } })
}
