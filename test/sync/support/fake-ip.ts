// ip(8) over dummy links in memory: link show, addr show and -batch. A line that fails ends a batch; what came before it stays.
import { familyOf, type IpFamily, parseCidr } from '../../../src/model/address.ts'
import { commandError, numbered } from './fake-tool.ts'

/** Dummy links with their addresses: `10.96.0.1/32`. */
export type FakeLinks = Map<string, Set<string>>

export interface FakeIp {
  readonly links: FakeLinks
  /** Asked for every line; it fails then. */
  readonly refuses: (line: string) => boolean
}

export function ip({ links, refuses }: FakeIp, argv: readonly string[], input: string): string {
  const options = argv.slice(1).join(' ')
  if (options === '-o link show type dummy') return [...links.keys()].map(linkLine).join('')
  if (options === '-4 -o addr show type dummy') return loopback + addressLines(links, 'IPv4')
  if (options === '-6 -o addr show type dummy') return addressLines(links, 'IPv6')
  if (options !== '-batch -') throw new Error(`the fake does not know: ${argv.join(' ')}`)
  for (const [number, line] of numbered(input)) {
    const complaint = refuses(line) ? 'Invalid argument' : carryOut(line, links)
    if (complaint !== undefined) throw commandError(argv, `RTNETLINK answers: ${complaint}\nCommand failed -:${number}`)
  }
  return ''
}

const linkLine = (name: string, index: number): string =>
  `${index + 3}: ${name}: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN mode DEFAULT group default qlen 1000\\    link/ether 7e:a2:11:4a:5e:5d brd ff:ff:ff:ff:ff:ff\n`

/** The kernel prints it whatever type was asked for. */
const loopback = '1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n'

function addressLines(links: FakeLinks, family: IpFamily): string {
  const lines = [...links].flatMap(([name, addresses], index) =>
    [...addresses]
      .filter(address => familyOf(parseCidr(address) ?? ('' as never)) === family)
      .map(address => `${index + 3}: ${name}    ${family === 'IPv4' ? 'inet' : 'inet6'} ${address} scope global ${name}`),
  )
  return lines.map(line => `${line}\\       valid_lft forever preferred_lft forever\n`).join('')
}

function carryOut(line: string, links: FakeLinks): string | undefined {
  const [, object, verb, what = '', link = ''] = /^(link|addr) (add|del) (\S+)(?: (?:dev (\S+)|type dummy))?$/.exec(line) ?? []
  if (object === undefined) throw new Error(`the fake does not know: ${line}`)
  if (object === 'link') {
    if (verb === 'add' && links.has(what)) return 'File exists'
    if (verb === 'add') links.set(what, new Set())
    else if (!links.delete(what)) return 'Cannot find device'
    return undefined
  }
  const addresses = links.get(link)
  if (addresses === undefined) return 'Cannot find device'
  if (verb === 'add' && addresses.has(what)) return 'File exists'
  if (verb === 'add') addresses.add(what)
  else if (!addresses.delete(what)) return 'Cannot assign requested address'
  return undefined
}
