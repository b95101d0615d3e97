// What ipvsadm prints and takes. The outputs are a real one's: ipvsadm 1.31 over kernel 6.1.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  addRealServer,
  addServer,
  deleteRealServer,
  deleteServer,
  editRealServer,
  editServer,
  isServerOf,
  parseConnections,
  parseServers,
  type ServerName,
  serverName,
  serverPlace,
} from '../../src/kernel/ipvsadm.ts'
import { address } from '../support/cluster.ts'

const saved = `-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 10.200.1.1:6443 -m -w 1
-A -t 10.96.0.2:80 -s mh -p 300 -b mh-fallback,mh-port
-a -t 10.96.0.2:80 -r 10.1.1.1:80 -m -w 0
-a -t 10.96.0.2:80 -r 10.1.1.2:80 -m -w 1
-A -t [fd00::1]:80 -s wlc
-a -t [fd00::1]:80 -r [fd00::2]:80 -m -w 1
-A -t [fd00::3]:80 -s mh -p 10800 -M 64
-A -u 10.96.0.10:53 -s rr
-A --sctp-service 10.96.0.9:53 -s rr
-A -f 7 -s wrr
-a -f 7 -r 192.0.2.1:0 -g -w 5
-A -f 8 -6 -s rr
`

describe('parseServers', () => {
  const servers = parseServers(saved)
  it('gives every virtual server, in the words in which it was printed', () => {
    assert.deepEqual(Object.fromEntries([...servers].map(([name, { options }]) => [name, options])), {
      '-t 10.96.0.1:443': '-s rr',
      '-t 10.96.0.2:80': '-s mh -p 300 -b mh-fallback,mh-port',
      '-t [fd00::1]:80': '-s wlc',
      '-t [fd00::3]:80': '-s mh -p 10800 -M 64',
      '-u 10.96.0.10:53': '-s rr',
      '--sctp-service 10.96.0.9:53': '-s rr',
      '-f 7': '-s wrr',
      '-f 8 -6': '-s rr',
    })
  })
  it('gives what stands behind each', () => {
    const behind = (name: string) => Object.fromEntries(servers.get(name as ServerName)?.realServers ?? [])
    assert.deepEqual(behind('-t 10.96.0.2:80'), { '10.1.1.1:80': '-m -w 0', '10.1.1.2:80': '-m -w 1' })
    assert.deepEqual(behind('-t [fd00::1]:80'), { '[fd00::2]:80': '-m -w 1' })
    assert.deepEqual(behind('-f 7'), { '192.0.2.1:0': '-g -w 5' })
    assert.deepEqual(behind('-u 10.96.0.10:53'), {})
  })
  it('gives nothing for nothing', () => assert.equal(parseServers('').size, 0))
})

describe('parseConnections', () => {
  const output = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.2:80 mh (mh-fallback,mh-port) persistent 300
  -> 10.1.1.1:80                  Masq    0      3          2         
  -> 10.1.1.2:80                  Masq    1      0          0         
UDP  10.96.0.10:53 rr
  -> 10.1.1.1:80                  Masq    1      0          123456    
SCTP 10.96.0.9:53 rr
  -> 10.1.1.3:53                  Masq    1      1          0         
TCP  [fd00::1]:80 wlc
  -> [fd00::2]:80                 Masq    1      7          0         
FWM  7 wrr
  -> 192.0.2.1:0                  Route   5      9          9         
`
  it('adds active and inactive ones, by the names that -Sn has; none is not named', () => {
    assert.deepEqual(Object.fromEntries([...parseConnections(output)].filter(([name]) => !name.includes('192.0.2.1'))), {
      '-t 10.96.0.2:80 10.1.1.1:80': 5,
      '-u 10.96.0.10:53 10.1.1.1:80': 123_456,
      '--sctp-service 10.96.0.9:53 10.1.1.3:53': 1,
      '-t [fd00::1]:80 [fd00::2]:80': 7,
    })
  })
  it('does not count those of a firewall mark for the server above', () => {
    assert.equal(parseConnections(output).get('-t [fd00::1]:80 192.0.2.1:0'), undefined)
  })
})

describe('names of virtual servers', () => {
  const rows = [
    ['TCP', '10.96.0.1', 443, '-t 10.96.0.1:443'],
    ['UDP', 'fd00::a', 53, '-u [fd00::a]:53'],
    ['SCTP', '10.96.0.9', 53, '--sctp-service 10.96.0.9:53'],
  ] as const
  for (const [protocol, text, port, name] of rows) {
    it(`${name} and back`, () => {
      assert.equal(serverName(protocol, address(text), port), name)
      assert.deepEqual(serverPlace(name as ServerName), { protocol, address: text, port })
    })
  }
  it('tell the family', () => {
    assert.ok(isServerOf('IPv4', '-t 10.96.0.1:443' as ServerName))
    assert.ok(!isServerOf('IPv4', '-t [fd00::1]:80' as ServerName))
    assert.ok(isServerOf('IPv6', '-t [fd00::1]:80' as ServerName))
  })
  for (const name of ['-f 7', '-f 8 -6', '-t example.org:80', '-x 10.96.0.1:80', '-t 10.96.0.1'])
    it(`are no place for ${name}`, () => assert.equal(serverPlace(name as ServerName), undefined))
})

it('what is fed is read back as it was', () => {
  const option = fc.constantFrom('-s rr', '-s mh -p 300 -b mh-fallback,mh-port', '-s sh', '-s mh -p 10800 -M 64')
  const places = fc.tuple(
    fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
    fc.constantFrom('10.96.0.1', 'fd00::1').map(address),
    fc.integer({ min: 1, max: 65_535 }),
  )
  const real = fc.tuple(fc.constantFrom('10.1.1.1:80', '[fd00::2]:80'), fc.constantFrom('-m -w 0', '-m -w 1'))
  fc.assert(
    fc.property(places, option, real, ([protocol, at, port], options, [realServer, how]) => {
      const name = serverName(protocol, at, port)
      const lines = [addServer(name, options), addRealServer(name, realServer, how)]
      assert.deepEqual(parseServers(lines.join('\n')), new Map([[name, { options, realServers: new Map([[realServer, how]]) }]]))
    }),
  )
})

it('commands are short options, as -R takes them', () => {
  const name = '-t 10.96.0.1:443' as ServerName
  assert.equal(editServer(name, '-s rr'), '-E -t 10.96.0.1:443 -s rr')
  assert.equal(deleteServer(name), '-D -t 10.96.0.1:443')
  assert.equal(editRealServer(name, '10.1.1.1:80', '-m -w 0'), '-e -t 10.96.0.1:443 -r 10.1.1.1:80 -m -w 0')
  assert.equal(deleteRealServer(name, '10.1.1.1:80'), '-d -t 10.96.0.1:443 -r 10.1.1.1:80')
})
