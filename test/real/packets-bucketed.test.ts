// Cases of test/cases with real packets where dispatch is a tree of chains: those that differ in how a Service is found. What comes behind that
// knows of no tree, and is tried by the other suites.
import { definePacketTests } from '../support/flows/suite.ts'
import { startProxy } from '../support/lab/proxy.ts'

definePacketTests({
  mode: 'iptables',
  arguments: ['--iptables-backend', 'nft'],
  start: options => startProxy({ ...options, settings: { dispatch: 'bucketed' } }),
  only: [
    ...['cluster-ip', 'external-ips', 'node-port', 'several-ports', 'single-stack', 'udp'],
    ...['localhost-node-ports', 'node-port-addresses'],
  ],
})
