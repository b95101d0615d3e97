// `switchyard status` on a node where a daemon runs, and where none does.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import type { ServiceDetail } from '../../src/explain/services-object.ts'
import type { Status } from '../../src/server/status-object.ts'
import { createNode, type TestNode } from '../support/daemon/node.ts'
import { web } from '../support/daemon/objects.ts'
import { type Ended, runOnce } from '../support/daemon/run-once.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../support/daemon/switchyard.ts'
import { poll } from '../support/lab/poll.ts'

const program = new URL('../../bin/switchyard', import.meta.url).pathname

function ask(node: TestNode, ...flags: readonly string[]): Promise<Ended> {
  return runOnce({ node, arguments: ['status', ...flags] })
}

it('status asks the daemon of this node, and says where there is none', async () => {
  await using node = await createNode('status')
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  const nobody = await ask(node)
  assert.equal(nobody.exitStatus, 1)
  assert.match(nobody.said.join(), /^switchyard: nothing answers at 127\.0\.0\.1:10249 .*is switchyard running on this node/)

  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 10, endpoints: ['10.244.1.1'] }))
  await using switchyard = await startSwitchyard({ node, config: { metricsBindAddress: '0.0.0.0:20249' } })
  const said = await switchyard.waitFor(async () => {
    const { said } = await ask(node, '--metrics-bind-address', '127.0.0.1:20249')
    return said[0]?.endsWith(': ready') ? said : undefined
  }, 'a daemon that is ready')
  assert.match(said[0] ?? '', /^Switchyard \d\S* on node node1: ready$/)
  assert.match(said[1] ?? '', /^mode iptables, up \d+ s$/)
  assert.match(said[2] ?? '', /^manifests in \S+: 1 Service, 1 EndpointSlice with 1 endpoint$/)
  assert.ok(
    said.some(line => /^last full sync +\d+ s ago +\d+ s ago$/.test(line)),
    said.join('\n'),
  )
  assert.doesNotMatch(said.join('\n'), /\p{Cc}\[/u, 'no colour where no terminal is')

  await switchyard.put('web.yaml', web({ name: 'web', number: 10, endpoints: ['10.244.1.1', '10.244.1.2'] }))
  const config = `${node.directory}/config.yaml`
  const { mode, families, source } = await switchyard.waitFor(async () => {
    const { exitStatus, said: json } = await ask(node, '-o', 'json', '--config', config)
    assert.equal(exitStatus, 0)
    const status = JSON.parse(json.join('\n')) as Status
    return status.families[0]?.lastPartialSync === null ? undefined : status
  }, 'a pass over what changed')
  assert.equal(mode, 'iptables')
  assert.deepEqual(
    families.map(({ family, services, ready, drains }) => [family, services, ready, drains]),
    [
      ['IPv4', 1, true, []],
      ['IPv6', 0, true, []],
    ],
  )
  assert.equal(source.objects.endpoints, 2)

  await switchyard.put('other.yaml', web({ name: 'other', number: 11, endpoints: ['10.244.1.3'] }))
  const services = await switchyard.waitFor(async () => {
    const { exitStatus, said: lines } = await ask(node, 'services', '--config', config)
    assert.equal(exitStatus, 0)
    return lines.filter(line => line.endsWith('programmed')).length === 2 ? lines : undefined
  }, 'both Services in the kernel')
  assert.match(services.join('\n'), /^2 Services, on node node1, mode iptables\n/)
  assert.match(
    services.join('\n'),
    /^default\/other +ClusterIP .* 1\/1 +1 +programmed\ndefault\/web +ClusterIP .* 2\/2 +2 +programmed$/m,
  )
  const one = await ask(node, 'services', 'web', '--config', config)
  assert.equal(one.exitStatus, 0)
  assert.match(one.said.join('\n'), /^\S+ +cluster IP +Cluster \(2\) +Cluster \(2\) +Cluster \(2\)$/m)
  assert.match(one.said.join('\n'), /^10\.244\.1\.2:\d+ .* 50 %$/m)
  const detail = await ask(node, 'services', 'default/web', '-o', 'json', '--config', config)
  const { ports } = JSON.parse(detail.said.join('\n')) as ServiceDetail
  assert.deepEqual(
    ports.map(({ family, endpoints }) => [family, endpoints.map(({ cluster }) => cluster?.share)]),
    [['IPv4', [0.5, 0.5]]],
  )
  const nobodys = await ask(node, 'services', 'default/wb', '--config', config)
  assert.deepEqual(nobodys, { exitStatus: 1, said: ['switchyard: there is no Service default/wb; similar: default/web'] })

  const watching = startWatch(node, ['services', '--watch=1', '--config', config])
  await watching.until(/^default\/web .* programmed$/m)
  assert.equal(await switchyard.stop(), 'code 0')
  await watching.until(/^! nothing answers at 127\.0\.0\.1:20249/m)
  assert.equal(await watching.interrupt(), 'code 0')
})

it('status says what the configuration files ask for and is not in force, and why', async () => {
  await using node = await createNode('status')
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  await using switchyard = await startSwitchyard({ node })
  const says = (...lines: readonly RegExp[]) =>
    switchyard.waitFor(
      async () => {
        const { said } = await ask(node)
        const wrong = said.filter(line => /^! .*(configuration|as in the file)/.test(line)).join('\n')
        return (
          (said[0]?.endsWith(': ready') && (lines.length === 0 ? wrong === '' : lines.every(line => line.test(wrong)))) ||
          undefined
        )
      },
      `status with ${lines.join(' and ') || 'nothing wrong'}`,
    )
  await says()
  await switchyard.configure({ config: { mode: 'userspace' } })
  await says(
    /^! the changed configuration is refused, the old one stays in force: \S+config\.yaml:\d+: mode: "userspace" is not allowed/m,
  )
  await switchyard.configure({ config: { healthzBindAddress: '127.0.0.1:20256' } })
  await says(
    /^! healthzBindAddress is "\S+:10256", not "127\.0\.0\.1:20256" as in the file: takes effect when Switchyard is restarted$/m,
  )
  await switchyard.configure({ config: {} })
  await says()
})

/** `switchyard status ... --watch` with its output in a pipe. */
function startWatch(node: TestNode, flags: readonly string[]) {
  const child = spawn('ip', ['netns', 'exec', node.namespace, program, 'status', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  return {
    until: (pattern: RegExp) =>
      poll(() => pattern.test(text) || undefined, { what: `${pattern} in what is printed`, context: () => text }),
    async interrupt(): Promise<string> {
      const closed = once(child, 'close')
      child.kill('SIGINT')
      const [code, signal] = await closed
      return code === null ? String(signal) : `code ${code}`
    },
  }
}
