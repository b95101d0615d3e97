// Who else writes the same chains on this node is found and named, whoever came first.
import assert from 'node:assert/strict'
import { copyFile, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startBackground } from '../../support/daemon/background.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { runOnce } from '../../support/daemon/run-once.ts'
import { frequentChecks, manifestsOf, putManifest, startSwitchyard, switchyardFlags } from '../../support/daemon/switchyard.ts'
import { createToolbox } from '../../support/daemon/toolbox.ts'

describe('another writer on the node', { concurrency: true }, () => {
  it('is a kube-proxy that was there before: nothing is written until it ends', () => kubeProxyFirst())
  it('is a kube-proxy that comes later: it is named, and so is its end', () => kubeProxyLater())
  it('is a kube-proxy whose process cannot be seen, but which answers on its port', () => kubeProxyByPort())
  it('is a kube-proxy that comes while takeover programs the node: nothing is removed', () => kubeProxyDuringTakeover())
  it('is no kube-proxy of another network namespace', () => kubeProxyElsewhere())
  it('is another switchyard: the second one ends and names the first', () => secondSwitchyard())
})

async function kubeProxyFirst(): Promise<void> {
  await using node = await prepared()
  await using kubeProxy = await startKubeProxy(node)
  await using switchyard = await startSwitchyard({ node })
  const { msg, level } = await switchyard.waitForLog(/kube-proxy/)
  assert.equal(level, 'error')
  assert.match(msg, /^kube-proxy \(process \d+\) still programs this node; waiting until it ends\. Stop it: its DaemonSet/)
  assert.doesNotMatch(await node.save({ backend: 'nft' }), /KUBE-/)
  const { exitStatus, said } = await runOnce({ node, arguments: ['status'] })
  assert.equal(exitStatus, 1)
  assert.match(
    said.join('\n'),
    /nothing answers at .*; switchyard \S+ \(process \d+\) is here, and so is kube-proxy \(process \d+\): .* waits/,
  )
  await kubeProxy.end()
  await switchyard.waitForLog(/^kube-proxy is gone; taking over its chains/)
  await switchyard.waitForSync()
  assert.match(await node.save({ backend: 'nft' }), /10\.244\.0\.1:8080/)
}

async function kubeProxyLater(): Promise<void> {
  await using node = await prepared()
  await using switchyard = await startSwitchyard({ node, config: frequentChecks })
  await switchyard.waitForSync()
  await using kubeProxy = await startKubeProxy(node)
  const { msg, level } = await switchyard.waitForLog(/kube-proxy/)
  assert.equal(level, 'error')
  assert.match(msg, /^kube-proxy \(process \d+\) was started and writes the same chains as this Switchyard; stop one of them/)
  await kubeProxy.end()
  await switchyard.waitForLog(/^kube-proxy \(process \d+\) is gone/)
  assert.equal(switchyard.linesSince(0, /was started/).length, 1, 'said once')
}

async function kubeProxyByPort(): Promise<void> {
  await using node = await prepared()
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  const server = "require('node:http').createServer((_, answer) => answer.end('iptables')).listen(10249, '127.0.0.1')"
  await using kubeProxy = await startBackground(node, [process.execPath, '-e', server])
  await using switchyard = await startSwitchyard({ node, config: frequentChecks })
  const { msg } = await switchyard.waitForLog(/kube-proxy \(answers on 127\.0\.0\.1:10249, mode iptables\)/)
  assert.match(msg, /still programs this node|was started/)
  // SIGTERM ends one that waits, too.
  assert.equal(await switchyard.stop(), 'code 0')
  await kubeProxy.end()
}

async function kubeProxyElsewhere(): Promise<void> {
  await using node = await prepared()
  await using elsewhere = await createNode('writers')
  await using _kubeProxy = await startKubeProxy(elsewhere)
  await using switchyard = await startSwitchyard({ node, config: frequentChecks, arguments: ['-v', '2'] })
  await switchyard.waitForSync()
  await switchyard.waitForChecks()
  assert.deepEqual(switchyard.linesSince(0, /kube-proxy/), [])
}

async function secondSwitchyard(): Promise<void> {
  await using node = await prepared()
  await using first = await startSwitchyard({ node })
  await first.waitForSync()
  const before = await node.save({ backend: 'nft' })
  const second = await runOnce({ node, arguments: await switchyardFlags({ node }) })
  assert.equal(second.exitStatus, 1)
  const [last = ''] = second.said.slice(-1)
  assert.match(last, /^switchyard \S+ \(process \d+\) already programs this node; stop it first: two writers/)
  assert.ok(last.includes(`(process ${first.daemon.pid})`), last)
  assert.equal(await node.save({ backend: 'nft' }), before)
  const elsewhere = await runOnce({ node, arguments: ['status', '--metrics-bind-address', '127.0.0.1:10999'] })
  const words = new RegExp(
    `nothing answers at 127.0.0.1:10999 .*switchyard \\S+ \\(process ${first.daemon.pid}\\) is here: .* metricsBindAddress is another`,
  )
  assert.match(elsewhere.said.join('\n'), words)
  // The name is free again with the first one's end.
  assert.equal(await first.stop(), 'code 0')
  await using third = await startSwitchyard({ node })
  await third.waitForSync()
}

async function kubeProxyDuringTakeover(): Promise<void> {
  await using node = await prepared()
  const toolbox = await createToolbox(node.directory)
  const program = await kubeProxyProgram(node)
  const processId = join(node.directory, 'kube-proxy.pid')
  await toolbox.break(
    'iptables-nft-restore',
    // Not before it has its name, by which it is found.
    `[ -e ${processId} ] || { ${program} 1000 > /dev/null 2>&1 & echo $! > ${processId}
      until [ "$(cat /proc/$!/comm)" = kube-proxy ]; do sleep 0.01; done; }\n`,
  )
  await node.restore({ backend: 'legacy' }, '*nat\n:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]\nCOMMIT\n')
  const [, ...flags] = await switchyardFlags({ node, arguments: ['--iptables-backend', 'nft'] })
  const { exitStatus, said } = await runOnce({
    node,
    arguments: ['takeover', ...flags],
    through: ['env', `PATH=${toolbox.path}`],
  })
  process.kill(Number(await readFile(processId, 'utf8')))
  assert.equal(exitStatus, 1, said.join('\n'))
  assert.match(said.at(-1) ?? '', /^switchyard: kube-proxy \(process \d+\) was started meanwhile, so nothing is removed/)
  assert.match(await node.save({ backend: 'nft' }), /10\.244\.0\.1:8080/)
  assert.match(await node.save({ backend: 'legacy' }), /KUBE-SVC-AAAAAAAAAAAAAAAA/)
}

async function prepared(): Promise<TestNode> {
  const node = await createNode('writers')
  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 1, endpoints: ['10.244.0.1'] }))
  return node
}

/** A process of that name which does nothing. */
async function startKubeProxy(node: TestNode) {
  return startBackground(node, [await kubeProxyProgram(node), '1000'])
}

async function kubeProxyProgram(node: TestNode): Promise<string> {
  const program = join(node.directory, 'kube-proxy')
  await copyFile(await realpath('/bin/sleep'), program)
  return program
}
