// Dispatch as a tree of chains, with real rules and packets: becoming one and ceasing to be one fails no connection; a kube-proxy that comes back
// sweeps it; and on a cold start the cluster's DNS answers while the others are still fed.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { stringify } from 'yaml'
import { createExec } from '../../src/kernel/exec.ts'
import { parseSave, targetOf, toolsOf } from '../../src/kernel/iptables.ts'
import { ipFamilies } from '../../src/model/address.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import { coldStart } from '../modes/iptables/support.ts'
import { address, cidr, endpoint, node, service, settings, slice } from '../support/cluster.ts'
import { checkFlow } from '../support/flows/check.ts'
import { decodeFlows } from '../support/flows/flow.ts'
import { describeLoad, startLoad } from '../support/flows/load.ts'
import { RandomCluster, steady } from '../support/flows/random-cluster.ts'
import { type Lab, startLab } from '../support/lab/lab.ts'
import { poll } from '../support/lab/poll.ts'
import { type RunningProxy, startProxy, writeManifest } from '../support/lab/proxy.ts'
import { createNamespace } from '../support/namespace.ts'
import { clusterOf } from '../support/scenario.ts'

const families = { IPv4: 'iptables-nft', IPv6: 'ip6tables-nft' } as const

let lab: Lab
before(async () => {
  lab = await startLab()
})
after(() => lab[Symbol.asyncDispose]())

const run = async (argv: readonly string[], input = ''): Promise<string> => (await lab.run(lab.node.name, argv, { input })).stdout

/** A Service of two families that only takes up room. */
function filler(number: number): readonly object[] {
  const name = `filler-${number}`
  const [high, low] = [1 + (number >> 8), number & 255]
  const hex = (part: number): string => part.toString(16)
  const addresses = [`10.${97 + (number % 7)}.${high}.${low}`, `fd00:10:96::${hex(number % 7)}:${hex(high * 256 + low)}`]
  const spec = {
    clusterIP: addresses[0],
    clusterIPs: addresses,
    ipFamilies: ['IPv4', 'IPv6'],
    ports: [{ port: 80, targetPort: 8080 }],
  }
  const sliceOf = (family: 'IPv4' | 'IPv6', pod: string) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-${family.toLowerCase()}`, labels: { 'kubernetes.io/service-name': name } },
    addressType: family,
    endpoints: [{ addresses: [pod] }],
    ports: [{ port: 8080, protocol: 'TCP' }],
  })
  return [
    { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec },
    sliceOf('IPv4', `10.244.2.${1 + (number % 250)}`),
    sliceOf('IPv6', `fd00:10:244:2::${hex(number)}`),
  ]
}

const fillers = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => filler(from + index))
    .flat()
    .map(object => stringify(object))
    .join('---\n')

describe('on a cold start', () => {
  it('the DNS of the cluster answers after the first block, and the others do not yet', async () => {
    const [pod] = lab.node.pods
    assert.ok(pod !== undefined)
    const dns = [
      service({
        namespace: 'kube-system',
        name: 'kube-dns',
        clusterIPs: [address('10.96.0.10')],
        ports: [{ name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 }],
      }),
      slice({
        service: 'kube-system/kube-dns',
        ports: [{ name: 'dns', protocol: 'UDP', port: 5353 }],
        endpoints: [endpoint(pod.ipv4)],
      }),
    ]
    const others = Array.from({ length: 300 }, (_, number) => [
      service({ name: `web-${number}`, clusterIPs: [address(`10.96.${1 + (number >> 8)}.${number & 255}`)] }),
      slice({ name: `web-${number}-a`, service: `web-${number}`, endpoints: [endpoint(pod.ipv4)] }),
    ])
    for (const dispatch of ['linear', 'bucketed'] as const) {
      const text = coldStart({
        cluster: clusterOf([...others.flat(), ...dns]),
        node,
        settings: { ...settings, dispatch },
        family: 'IPv4',
      })
      const blocks = text.split('COMMIT\n').filter(block => block.startsWith('*nat'))
      assert.ok(blocks.length > 3)
      for (const table of ['nat', 'filter']) await run(['iptables-nft-restore'], `*${table}\nCOMMIT\n`)
      await run(['iptables-nft-restore', '--noflush'], text.slice(0, text.indexOf('*nat')))
      await run(['iptables-nft-restore', '--noflush'], `${blocks[0]}COMMIT\n`)
      const flows = decodeFlows(
        [
          { from: 'pod/c', to: '10.96.0.10:53/UDP', expect: { to: [pod.name], source: 'kept' } },
          // Masquerading is there as early.
          { from: 'node', to: '10.96.0.10:53/UDP', expect: { to: [pod.name], source: 'node' } },
          { from: 'pod/c', to: '10.96.1.7:80/TCP', expect: 'untouched' },
        ],
        'iptables',
      )
      for (const flow of flows) await checkFlow(lab, flow)
    }
  })
})

describe('the deepest tree', () => {
  for (const family of ipFamilies) {
    it(`is one whose jumps the kernel follows, to the longest way behind it (${family})`, async () => {
      await using namespace = await createNamespace('deep')
      const exec = createExec({ prefix: namespace.prefix })
      // At every digit of one address others turn off, and many remain.
      const [bits, width] = family === 'IPv4' ? [0x0a600000n, 32] : [0xfd000010009600000000000000000000n, 128]
      const values = [
        ...Array.from({ length: width / 4 }, (_, digit) => bits ^ (1n << BigInt(width - 1 - 4 * digit - 3))),
        ...Array.from({ length: 100 }, (_, low) => bits + BigInt(low)),
      ]
      const addresses = [...new Set(values)].flatMap(value => {
        const digits = value.toString(16).padStart(width / 4, '0')
        const bytes = (digits.match(/../g) ?? []).map(byte => Number.parseInt(byte, 16))
        return family === 'IPv4' ? address(bytes.join('.')) : address((digits.match(/.{4}/g) ?? []).join(':'))
      })
      const pod = family === 'IPv4' ? '10.244.1.1' : 'fd00:10:244:1::1'
      const objects = addresses.flatMap((each, number) => [
        service({
          name: `web-${number}`,
          type: 'LoadBalancer',
          ipFamilies: [family],
          clusterIPs: [],
          loadBalancerAddresses: [each],
          loadBalancerSourceRanges: [cidr(family === 'IPv4' ? '203.0.113.0/24' : '2001:db8::/64')],
        }),
        slice({ service: `web-${number}`, name: `web-${number}-a`, family, endpoints: [endpoint(pod)] }),
      ])
      const mode = iptablesMode(family, toolsOf(family, 'nft'))
      const sync = new FamilySync({
        mode,
        exec,
        cluster: clusterOf(objects),
        events: createSyncEmitter(),
        now: () => performance.now(),
      })
      await sync.pass({ node, settings: { ...settings, dispatch: 'bucketed' }, sweep: true })
      assert.equal(sync.quarantined.size, 0)
      const { stdout } = await exec({ argv: [toolsOf(family, 'nft').save, '-t', 'nat'] })
      const chains = new Map(parseSave(stdout).map(({ name, rules }) => [name, rules]))
      const depth = (chain: string): number =>
        Math.max(
          0,
          ...(chains.get(chain) ?? []).map(rule => targetOf(rule) ?? '').map(to => (chains.has(to) ? 1 + depth(to) : 0)),
        )
      // KUBE-SERVICES, as many of the tree as there can be (seven: the last digit divides 16 addresses), and KUBE-FW, KUBE-EXT, KUBE-SVC, KUBE-SEP,
      // KUBE-MARK-MASQ.
      assert.equal(depth('PREROUTING'), family === 'IPv4' ? 13 : 14)
    })
  }
})

describe('no connection fails', () => {
  it('while dispatch becomes a tree and a list again: by the number of Services, and by the setting', async t => {
    await using proxy = await startProxy({ lab, arguments: ['--iptables-backend', 'nft'] })
    const write = (name: string, text: string) => writeManifest(`${proxy.manifests}/${name}`, text)
    // With the lab's own two just below the threshold.
    await write('fillers.yaml', fillers(0, 490))
    const cluster = new RandomCluster({ seed: 1, pods: lab.pods })
    await proxy.program(cluster.toYaml())
    await seeDispatch('a list', proxy)

    const from = [
      { from: 'c', address: steady.ipv4, port: steady.port },
      { from: 'c', address: steady.ipv6, port: steady.port },
      { from: 'client', address: lab.node.ipv4, port: steady.nodePort },
      { from: 'client', address: lab.node.ipv6, port: steady.nodePort },
    ]
    const loads = await Promise.all(from.map(target => startLoad(lab, { ...target, perSecond: 50 })))
    for (let round = 0; round < 4; round++) {
      await write('more.yaml', fillers(490, 520))
      await seeDispatch('a tree', proxy)
      // Single Services come and go in it, too.
      await write('more.yaml', fillers(490, 516))
      await write('more.yaml', fillers(490, 491))
      await seeDispatch('a list', proxy)
    }
    for (const [dispatch, form] of [
      ['bucketed', 'a tree'],
      ['linear', 'a list'],
      ['bucketed', 'a tree'],
      ['auto', 'a list'],
    ] as const) {
      await proxy.configureOwn({ dispatch })
      await seeDispatch(form, proxy)
    }
    await proxy.configureOwn({ dispatch: 'bucketed' })
    await seeDispatch('a tree', proxy)
    await Promise.all(loads.map(load => load.reach(500)))
    const reports = await Promise.all(loads.map(load => load.stop()))
    for (const { name, report } of reports) t.diagnostic(describeLoad(name, report))
    assert.deepEqual(
      reports.flatMap(({ name, report }) => report.failures.map(failure => ({ name, ...failure }))),
      [],
      `connections failed; the daemon's last lines:\n${proxy.daemon.lastLines()}`,
    )
    assert.equal(await proxy.stop(), 'code 0')
  })

  it('and kube-proxy, when it comes back, can sweep the tree as it sweeps chains of Services', async () => {
    for (const tool of Object.values(families)) {
      const names = [...(await run([`${tool}-save`, '-t', 'nat'])).matchAll(/^:(\S+)/gm)].map(([, name = '']) => name)
      // It knows its own by these prefixes; what no Service has goes, in one block with the new KUBE-SERVICES.
      const stale = names.filter(name => /^KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(name))
      assert.ok(stale.some(name => !/^KUBE-[A-Z]+-[A-Z2-7]{16}$/.test(name)))
      const empty = ['KUBE-SERVICES', 'KUBE-NODEPORTS', ...stale].map(name => `:${name} - [0:0]`)
      await run([`${tool}-restore`, '--noflush'], ['*nat', ...empty, ...stale.map(name => `-X ${name}`), 'COMMIT', ''].join('\n'))
      const left = await run([`${tool}-save`, '-t', 'nat'])
      assert.doesNotMatch(left, /KUBE-(SVC|SVL|EXT|FW|SEP)-/)
    }
  })
})

/** Of both families. */
async function seeDispatch(form: 'a tree' | 'a list', proxy: RunningProxy): Promise<void> {
  for (const [family, tool] of Object.entries(families)) {
    await poll(
      async () => {
        const rules = await run([tool, '-t', 'nat', '-S', 'KUBE-SERVICES']).catch(() => '')
        const isList = rules.includes('"default/steady:http cluster IP"')
        const isTree = !isList && rules.includes('kubernetes services by address')
        return (form === 'a tree' ? isTree : isList) ? true : undefined
      },
      { what: `${form} in KUBE-SERVICES of ${family}`, context: () => proxy.daemon.lastLines() },
    )
  }
}
