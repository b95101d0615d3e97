// When a daemon that lives counts as programming all there is, so that what was there before it may go.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { readyDaemon } from '../../src/cli/running-daemon.ts'
import type { Config } from '../../src/config/config.ts'
import { jsonResponse, openServer, routed } from '../../src/server/http.ts'
import { address } from '../support/cluster.ts'

async function ask(context: TestContext, { unreadable = false, refused = [] as readonly string[] }) {
  const quarantined = refused.map(service => ({ service, reason: 'a reason' }))
  const status = {
    ...{ apiVersion: 'switchyard/v1', kind: 'Status', ready: true, mode: 'iptables', iptablesBackend: 'nft' },
    families: [{ quarantined }, { quarantined }],
    source: { description: 'manifests in /m', unreadable },
  }
  const handler = routed({ '/switchyard/v1/status': () => jsonResponse(200, JSON.stringify(status)) })
  const server = await openServer({ at: { host: '127.0.0.1', port: 0 }, handler, onError: error => assert.fail(String(error)) })
  context.after(() => server.close())
  const metricsBind: Config['metricsBind'] = { address: address('127.0.0.1'), port: server.port }
  return readyDaemon('switchyard 1', { metricsBind })
}

describe('the daemon that runs', () => {
  it('is asked how it is', async context => {
    assert.equal((await ask(context, {})).iptablesBackend, 'nft')
  })

  it('does not stand for what it could not program', async context => {
    await assert.rejects(ask(context, { unreadable: true }), /not all of manifests in \/m can be read: .* so it stays/)
    await assert.rejects(ask(context, { refused: ['default/web'] }), /the kernel refuses the rules of default\/web: /)
  })
})
