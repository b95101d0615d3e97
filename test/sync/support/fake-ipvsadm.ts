// ipvsadm(8) over virtual servers in memory: -Sn, -Ln --exact and -R. As the real one, -R goes on after a line that failed and ends well.
import { parseServers, type ServerName } from '../../../src/kernel/ipvsadm.ts'
import { commandError, numbered } from './fake-tool.ts'

export interface FakeServer {
  options: string
  /** By name: `-m -w 1`. */
  readonly realServers: Map<string, string>
}

export interface FakeServers {
  readonly servers: Map<ServerName, FakeServer>
  /** Connections by `server realServer`; those of real servers that go are forgotten. */
  readonly connections: Map<string, number>
  /** Asked for every line; it is left out then. */
  readonly refuses: (line: string) => boolean
}

export interface FakeOutput {
  readonly stdout: string
  readonly stderr: string
}

export function ipvsadm(fake: FakeServers, argv: readonly string[], input: string): FakeOutput {
  const options = argv.slice(1).join(' ')
  if (options === '-Sn') return { stdout: save(fake), stderr: '' }
  if (options === '-Ln --exact') return { stdout: list(fake), stderr: '' }
  if (options !== '-R') throw new Error(`the fake does not know: ${argv.join(' ')}`)
  const complaints = numbered(input).map(([, line]) => (fake.refuses(line) ? 'Memory allocation problem' : carryOut(line, fake)))
  return { stdout: '', stderr: complaints.flatMap(complaint => (complaint === undefined ? [] : [`${complaint}\n`])).join('') }
}

export function fakeServersOf(output: string): Map<ServerName, FakeServer> {
  const parsed = [...parseServers(output)]
  return new Map(parsed.map(([name, { options, realServers }]) => [name, { options, realServers: new Map(realServers) }]))
}

function save({ servers }: FakeServers): string {
  const lines = [...servers].flatMap(([name, { options, realServers }]) => [
    `-A ${name} ${options}`,
    ...[...realServers].map(([realServer, how]) => `-a ${name} -r ${realServer} ${how}`),
  ])
  return lines.map(line => `${line}\n`).join('')
}

const protocols: Readonly<Record<string, string>> = { '-t': 'TCP ', '-u': 'UDP ', '--sctp-service': 'SCTP' }

function list({ servers, connections }: FakeServers): string {
  const lines = [...servers].flatMap(([name, { options, realServers }]) => {
    const [option = '', place] = name.split(' ')
    const rows = [...realServers].map(([realServer, how]) => {
      const count = connections.get(`${name} ${realServer}`) ?? 0
      return `  -> ${realServer.padEnd(28)}Masq    ${how.slice(-1).padEnd(6)} ${String(count).padEnd(10)} 0         `
    })
    return [`${protocols[option] ?? 'FWM '} ${place} ${options.slice('-s '.length)}`, ...rows]
  })
  const head = ['IP Virtual Server version 1.2.1 (size=4096)', 'Prot LocalAddress:Port Scheduler Flags']
  return [...head, '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn', ...lines, ''].join('\n')
}

/** Flags are bits: each once, and in an order of their own. */
function asPrinted(options: string): string {
  const [before, flags] = options.split(' -b ')
  return flags === undefined ? options : `${before} -b ${[...new Set(flags.split(','))].toSorted().join(',')}`
}

function carryOut(line: string, { servers, connections }: FakeServers): string | undefined {
  const [, verb, name, rest = ''] = /^-([AEDaed]) (\S+ \S+)(?: (.*))?$/.exec(line) ?? []
  if (verb === undefined) throw commandError(['ipvsadm', '-R'], `illegal: ${line}`)
  const server = servers.get(name as ServerName)
  const [, realServer = '', how = ''] = /^-r (\S+)(?: (.*))?$/.exec(rest) ?? []
  const forget = (real: string): void => void connections.delete(`${name} ${real}`)
  if (verb === 'A') {
    if (server !== undefined) return 'Service already exists'
    servers.set(name as ServerName, { options: asPrinted(rest), realServers: new Map() })
    return undefined
  }
  if (server === undefined) return 'No such service'
  if (verb === 'E') server.options = asPrinted(rest)
  if (verb === 'D') {
    for (const real of server.realServers.keys()) forget(real)
    servers.delete(name as ServerName)
  }
  if (!'aed'.includes(verb)) return undefined
  const isThere = server.realServers.has(realServer)
  if (verb === 'a' && isThere) return 'Destination already exists'
  if (verb !== 'a' && !isThere) return 'No such destination'
  if (verb !== 'd') server.realServers.set(realServer, how)
  else if (server.realServers.delete(realServer)) forget(realServer)
  return undefined
}
