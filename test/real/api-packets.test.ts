// The cases of test/cases with real packets, their objects coming from an API server: each case is what the one before becomes
// by events. Iptables mode, nf_tables backend.
//
// Of the cases that need a proxy of their own (a start each, which is most of the time), only those are here in which the
// configuration makes the proxy read its Node, whose way here is another one than with manifests: what the others configure
// has nothing to do with where objects come from, and packets-nft.test.ts runs them.
import { readFileSync } from 'node:fs'
import { loadCases } from '../support/flows/cases.ts'
import { definePacketTests } from '../support/flows/suite.ts'
import { parseObjects, startApiProxy } from '../support/lab/api-proxy.ts'

const readingTheNode = ['detect-local-node-cidr', 'node-port-primary']
const nodes = parseObjects(readFileSync(new URL('../cases/cluster.yaml', import.meta.url), 'utf8'))
const sharingOneProxy = loadCases('iptables').filter(({ config }) => config === undefined)

definePacketTests({
  mode: 'iptables',
  arguments: ['--iptables-backend', 'nft'],
  start: options => startApiProxy({ ...options, objects: nodes }),
  only: [...sharingOneProxy.map(({ name }) => name), ...readingTheNode],
})
