// What `switchyard status` prints for people.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { statusText } from '../../src/cli/status-text.ts'
import type { DrainStatus, FamilyStatus, Status } from '../../src/server/status-object.ts'

const fine: FamilyStatus = {
  family: 'IPv4',
  ready: true,
  lastFullSync: '2026-08-02T11:57:55.000Z',
  lastPartialSync: '2026-08-02T11:59:58.400Z',
  waitingSince: null,
  services: 12,
  quarantined: [],
  remarks: [],
  failures: 0,
  lastFailure: null,
  drains: [],
  driftRepaired: 0,
}

const drain: DrainStatus = {
  server: '-t 10.96.0.10:80',
  realServer: '10.244.1.1:8080',
  service: 'default/web',
  since: '2026-08-02T11:59:30.000Z',
  goneSince: null,
  until: '2026-08-02T12:14:30.250Z',
  connections: 3,
  retiring: false,
}

function status(fields: Partial<Status> = {}): Status {
  return {
    apiVersion: 'switchyard/v1',
    kind: 'Status',
    version: '0.1.0',
    node: 'node1',
    mode: 'ipvs',
    iptablesBackend: 'nft',
    startedAt: '2026-08-02T08:45:10.000Z',
    time: '2026-08-02T12:00:00.000Z',
    ready: true,
    missing: [],
    families: [fine],
    source: {
      description: 'manifests in /m',
      complete: true,
      unreadable: false,
      unread: [],
      objects: { services: 12, endpointSlices: 1, endpoints: 30 },
      watches: [],
    },
    ...fields,
  }
}

const textOf = (fields: Partial<Status> = {}, width = 200): string =>
  statusText(status(fields), { paint: (_, text) => text, width })

describe('the status for people', () => {
  it('is short where all is well', () => {
    assert.equal(
      textOf({ families: [fine, { ...fine, family: 'IPv6', services: 0, lastPartialSync: null, driftRepaired: 2 }] }),
      `Switchyard 0.1.0 on node node1: ready
mode ipvs, up 3 h 14 min
manifests in /m: 12 Services, 1 EndpointSlice with 30 endpoints

FAMILY             IPv4           IPv6
ready              yes            yes
last full sync     2 min 5 s ago  2 min 5 s ago
last partial sync  2 s ago        never
oldest change      none waits     none waits
Services           12             0
quarantined        0              0
draining           0              0
drift repaired     0              2
`,
    )
  })

  it('lists what drains: for how long, why, until when, with how many connections', () => {
    const retiring = { ...drain, server: '-t [fd00::1]:443', service: null, retiring: true, connections: null }
    const gone = { ...drain, realServer: '10.244.10.11:8080', goneSince: drain.since, until: '2026-08-02T12:01:30.000Z' }
    const lines = textOf({ families: [{ ...fine, drains: [drain, gone, { ...drain, service: null }, retiring] }] }).split('\n')
    assert.deepEqual(lines.slice(lines.findIndex(line => line.startsWith('Draining'))), [
      'Draining: connections go on, new ones go elsewhere',
      'VIRTUAL SERVER    REAL SERVER        SERVICE      FOR   WHY               CUT AT THE LATEST                      CONNECTIONS',
      '-t 10.96.0.10:80  10.244.1.1:8080    default/web  30 s  not selected now  2026-08-02T12:14:30Z (in 14 min 30 s)  3',
      '-t 10.96.0.10:80  10.244.10.11:8080  default/web  30 s  endpoint is gone  2026-08-02T12:01:30Z (in 1 min 30 s)   3',
      '-t 10.96.0.10:80  10.244.1.1:8080    -            30 s  port is gone      2026-08-02T12:14:30Z (in 14 min 30 s)  3',
      '-t [fd00::1]:443  10.244.1.1:8080    -            30 s  change of mode    2026-08-02T12:14:30Z (in 14 min 30 s)  ?',
      '',
    ])
  })

  it('says what is wrong', () => {
    const service = 'default/web'
    const text = textOf({
      ready: false,
      missing: ['IPv4: a change has been waiting for 70 s'],
      families: [
        {
          ...fine,
          ready: false,
          failures: 3,
          lastFailure: 'iptables-restore: no',
          quarantined: [{ service, reason: 'line 7: no such match' }],
          remarks: [{ service, reason: 'SchedulerUnavailable', message: 'asks for "x"; it gets rr' }],
        },
        { ...fine, family: 'IPv6', remarks: [{ service, reason: 'SchedulerUnavailable', message: 'asks for "x"; it gets rr' }] },
      ],
      source: {
        ...status().source,
        unreadable: true,
        unread: [
          { where: '/m/a.yaml: Service default/a', problem: 'spec.ports is missing', kept: true },
          { where: '/m/b.yaml', problem: 'is not UTF-8 text', kept: false },
        ],
      },
    })
    assert.match(text, /^Switchyard 0\.1\.0 on node node1: not ready$/m)
    assert.match(text, /^! IPv4: a change has been waiting for 70 s$/m)
    assert.match(text, /^! IPv4: failed 3 times in a row: iptables-restore: no$/m)
    assert.match(
      text,
      /^! \/m\/a.yaml: Service default\/a cannot be read: spec.ports is missing; its last good version is in force$/m,
    )
    assert.match(text, /^! \/m\/b.yaml cannot be read: is not UTF-8 text; nothing of it is in force$/m)
    assert.match(text, /^! something cannot be read and has no earlier version: nothing stale is removed/m)
    assert.match(text, /^IPv4 {4}default\/web {2}line 7: no such match$/m)
    assert.equal(text.match(/^Service default\/web asks for "x"; it gets rr$/gm)?.length, 1)
  })

  it('says what the configuration files ask for and is not done', () => {
    const text = textOf({
      notInForce: [
        { field: null, inFile: null, inForce: null, reason: 'config.yaml:3: mode: "x" is not allowed' },
        { field: 'mode', inFile: '"ipvs"', inForce: '"iptables"', reason: 'no module ip_vs\x1b[2J' },
      ],
    })
    const refused = 'the changed configuration is refused, the old one stays in force'
    assert.match(text, new RegExp(`^! ${refused}: config\\.yaml:3: mode: "x" is not allowed$`, 'm'))
    assert.match(text, /^! mode is "iptables", not "ipvs" as in the file: no module ip_vs.*\[2J$/m)
    assert.ok(!text.includes('\x1b'))
  })

  it('says how fresh each watch is', () => {
    const watches = [
      { resource: 'services', synced: true, lastContact: '2026-08-02T11:59:48.000Z', failure: null },
      { resource: 'endpointslices', synced: false, lastContact: null, failure: 'forbidden' },
    ]
    const text = textOf({ source: { ...status().source, watches } })
    assert.match(text, /^watch of services: last heard 12 s ago$/m)
    assert.match(text, /^watch of endpointslices: nothing heard yet, not read completely yet, forbidden$/m)
  })

  it('says for how long the oldest change has been waiting', () => {
    const text = textOf({ families: [{ ...fine, waitingSince: '2026-08-02T11:59:57.000Z' }] })
    assert.match(text, /^oldest change +waits for 3 s$/m)
  })

  it('fits into a narrow terminal', () => {
    const quarantined = [{ service: 'default/web', reason: 'line 7: no such match' }]
    const text = textOf(
      {
        families: [
          { ...fine, drains: [drain], quarantined },
          { ...fine, family: 'IPv6' },
        ],
      },
      80,
    )
    assert.ok(Math.max(...text.split('\n').map(line => line.length)) <= 80, text)
    assert.match(text, /^-t 10\.96\.0\.10:80\n {2}real server +10\.244\.1\.1:8080\n {2}service +default\/web$/m)
  })

  it('paints without moving a column', () => {
    const painted = statusText(status(), { paint: (style, text) => `<${style}>${text}</${style}>`, width: 200 })
    assert.match(painted, /<good>ready<\/good>/)
    assert.equal(painted.replace(/<\/?\w+>/g, ''), textOf())
  })

  it('shows no control character of what it was told', () => {
    const hostile = 'no\u001b[2J\u0007 such\nmatch\u009b31m'
    const text = textOf({ families: [{ ...fine, quarantined: [{ service: hostile, reason: hostile }] }], missing: [hostile] })
    assert.doesNotMatch(text.replaceAll('\n', ''), /\p{Cc}/u)
    assert.match(text, /no \[2J such match 31m/)
  })
})
