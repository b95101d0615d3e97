// Whether a rule matches a packet, as the kernel would say. Knows the matches that rules of ours, kube-proxy, kubelet and common network plugins ask by.
import { type Address, contains, parseCidr } from '../../model/address.ts'
import { isLoopbackRange, type Passing, type Place, type Surroundings } from './passing.ts'
import type { Question, Rule } from './rule-syntax.ts'

/** The share of packets like this one that match, 0 to 1; or what it asks that cannot be told, while all that can be told matches. */
export type Match = number | { readonly unknown: string }

export interface Asked {
  readonly packet: Passing
  readonly surroundings: Surroundings
  /** In a chain of ours, a link whose name nobody knows is not the one that pods come by: that one is known. */
  readonly isOurs: boolean
}

/** A number is the share of packets, undefined: it cannot be told. */
type Answer = boolean | number | undefined

export function matchOf(rule: Rule, asked: Asked): Match {
  let share = 1
  let unknown: string | undefined
  for (const question of rule.questions) {
    const answer = answerTo(question, asked)
    if (answer === undefined) unknown ??= wordsOf(question)
    else share *= question.isNegated ? 1 - Number(answer) : Number(answer)
    if (share === 0) return 0
  }
  return unknown === undefined ? share : { unknown }
}

function wordsOf({ match, option }: Question): string {
  return match === '' ? option : `-m ${match}${option === '' ? '' : ` ${option}`}`
}

function answerTo(question: Question, asked: Asked): Answer {
  const { match, option, values } = question
  if (option === '') return silentMatches.has(match) ? true : undefined
  const [value = ''] = values
  const { packet } = asked
  switch (match === '' ? option : `${match} ${option}`) {
    case '-s':
      return isIn(value, packet.source)
    case '-d':
      return isIn(value, packet.destination.address)
    case '-i':
      return isLink(value, packet.comesBy, asked.isOurs)
    case '-o':
      return isLink(value, packet.leavesBy, asked.isOurs)
    case '-p':
      return isProtocol(value, packet)
    case '-f':
      return false
    case 'mark --mark':
      return isMarked(value, packet.mark)
    case 'statistic --mode':
    case 'statistic --packet':
      return true
    case 'statistic --probability':
      return shareOf(Number(value))
    case 'statistic --every':
      return shareOf(1 / Number(value))
    case 'multiport --dports':
      return isInPorts(value.split(','), packet.destination.port)
    case 'state --state':
      return hasState(value, packet)
    case 'pkttype --pkt-type':
      return value === 'unicast'
    default:
      return answerOfMatch(question, asked)
  }
}

function answerOfMatch({ match, option, values }: Question, { packet, surroundings }: Asked): Answer {
  const [value = '', second = ''] = values
  switch (match) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return transportAnswer(option, values, packet)
    case 'conntrack':
      return conntrackAnswer(option, value, packet)
    case 'addrtype':
      return addressTypeAnswer(option, value, { packet, surroundings })
    case 'set':
      return option === '--match-set' ? surroundings.isInSet(value, second.split(','), packet) : undefined
    case 'recent':
      return recentAnswer(option)
    case 'physdev':
      // Only a bridge that hands its frames to iptables has such ports, and asks before it is known where the packet goes.
      return option === '--physdev-is-in' || option === '--physdev-is-out' || option === '--physdev-is-bridged'
        ? false
        : undefined
    case 'ipvs':
      return virtualServerAnswer(option, value, packet)
    case 'comment':
    case 'nfacct':
      return true
    default:
      return undefined
  }
}

/** Matches that ask nothing by being named: only their options do. */
const silentMatches: ReadonlySet<string> = new Set([
  ...['tcp', 'udp', 'sctp', 'multiport', 'conntrack', 'state', 'addrtype', 'set', 'recent', 'physdev', 'ipvs'],
  ...['comment', 'nfacct', 'mark', 'statistic', 'pkttype'],
])

/** Most rules name one address, as text that the kernel prints in one way. */
function isIn(range: string, address: Address): Answer {
  const isOne = range.endsWith('/128') || (range.endsWith('/32') && !range.includes(':')) || !range.includes('/')
  if (isOne) return range.startsWith(address) && (range.length === address.length || range[address.length] === '/')
  const cidr = parseCidr(range)
  return cidr === undefined ? undefined : contains(cidr, address)
}

function isLink(pattern: string, link: string | undefined, isOurs: boolean): Answer {
  if (link === undefined) return isOurs || pattern === 'lo' ? false : undefined
  return pattern.endsWith('+') ? link.startsWith(pattern.slice(0, -1)) && link !== '' : link === pattern
}

const protocolNumbers: Readonly<Record<Passing['protocol'], string>> = { TCP: '6', UDP: '17', SCTP: '132' }

function isProtocol(name: string, { protocol }: Passing): boolean {
  return name === 'all' || name === '0' || name === protocol.toLowerCase() || name === protocolNumbers[protocol]
}

function isMarked(value: string, mark: number): boolean {
  const [wanted = '', mask = '0xffffffff'] = value.split('/')
  return (mark & Number(mask)) >>> 0 === Number(wanted)
}

function shareOf(share: number): Answer {
  return Number.isFinite(share) && share >= 0 && share <= 1 ? share : undefined
}

/** `80`, `30000:32767`. */
function isInPorts(ranges: readonly string[], port: number): boolean {
  return ranges.some(range => {
    const [first = '', last = first] = range.split(':')
    return (first === '' ? 0 : Number(first)) <= port && port <= (last === '' ? 65_535 : Number(last))
  })
}

/** The source's port is any: it is the client's choice. The first packet over TCP has SYN alone. */
function transportAnswer(option: string, [value = '', flags = '']: readonly string[], packet: Passing): Answer {
  if (option === '--dport' || option === '--destination-port') return isInPorts([value], packet.destination.port)
  if (option === '--tcp-flags') return (value.split(',').includes('SYN') ? 'SYN' : 'NONE') === flags
  return option === '--syn' ? true : undefined
}

function hasState(list: string, { isTracked, isTranslated }: Passing): boolean {
  const states = list.split(',')
  return isTracked ? states.includes('NEW') || (isTranslated && states.includes('DNAT')) : states.includes('UNTRACKED')
}

function conntrackAnswer(option: string, value: string, packet: Passing): Answer {
  const { originalDestination: original } = packet
  if (option === '--ctstate') return hasState(value, packet)
  if (!packet.isTracked) return false
  switch (option) {
    case '--ctorigdst':
      return isIn(value, original.address)
    case '--ctorigdstport':
      return isInPorts([value], original.port)
    case '--ctorigsrc':
      return isIn(value, packet.source)
    case '--ctproto':
      return isProtocol(value, packet)
    case '--ctdir':
      return value === 'ORIGINAL'
    case '--ctstatus':
      return value.split(',').includes('NONE')
    default:
      return undefined
  }
}

function addressTypeAnswer(option: string, value: string, { packet, surroundings }: Omit<Asked, 'isOurs'>): Answer {
  if (option !== '--src-type' && option !== '--dst-type') return undefined
  const address = option === '--src-type' ? packet.source : packet.destination.address
  const answers = value.split(',').map(type => isOfType(type, address, surroundings))
  if (answers.includes(true)) return true
  return answers.includes(undefined) ? undefined : false
}

function isOfType(type: string, address: Address, { isLocal }: Surroundings): boolean | undefined {
  const own = isLocal(address) || isLoopbackRange(address)
  const multicast = /^(22[4-9]|23\d)\./.test(address) || address.startsWith('ff')
  if (type === 'LOCAL') return own
  if (type === 'MULTICAST') return multicast
  if (type === 'UNICAST') return !own && !multicast
  // Nobody connects to these.
  return ['BROADCAST', 'ANYCAST', 'BLACKHOLE', 'PROHIBIT'].includes(type) ? false : undefined
}

/** The client is not remembered yet; remembering it always succeeds. */
function recentAnswer(option: string): Answer {
  if (option === '--rcheck' || option === '--update' || option === '--remove') return false
  return ['--set', '--seconds', '--reap', '--name', '--mask', '--rsource', '--hitcount', '--rttl'].includes(option)
    ? true
    : undefined
}

function virtualServerAnswer(option: string, value: string, packet: Passing): Answer {
  const server: Place | undefined = packet.virtualServer
  if (option === '--ipvs') return server !== undefined
  if (server === undefined) return false
  if (option === '--vproto') return isProtocol(value, packet)
  if (option === '--vaddr') return isIn(value, server.address)
  if (option === '--vport') return isInPorts([value], server.port)
  return option === '--vmethod' ? value === 'MASQ' : undefined
}
