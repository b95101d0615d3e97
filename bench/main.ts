// npm run bench [-- [ipvs] [SERVICESxENDPOINTS ...]]: what a first sync, one endpoint change and a restart cost at some sizes, beside
// the tools' own floor on the same lines in the same run. Measures and prints; decides nothing.
import type { ClusterSize } from './cluster.ts'
import { benchIptables } from './iptables.ts'
import { benchIpvs } from './ipvs.ts'

const modes = {
  iptables: { bench: benchIptables, usualSizes: ['100x5', '1000x5', '5000x5'] },
  ipvs: { bench: benchIpvs, usualSizes: ['500x5', '2000x5'] },
} as const

function parseSize(text: string): ClusterSize {
  const [, services, endpoints] = /^([1-9]\d*)x([1-9]\d*)$/.exec(text) ?? []
  if (services === undefined || endpoints === undefined) {
    console.error(`bench: ${text}: expected SERVICESxENDPOINTS, such as 1000x5; the mode, ipvs, goes before all sizes`)
    process.exit(64)
  }
  return { services: Number(services), endpoints: Number(endpoints) }
}

const [first, ...others] = process.argv.slice(2)
const isNamed = first === 'ipvs' || first === 'iptables'
const { bench, usualSizes } = modes[isNamed ? first : 'iptables']
const wished = isNamed || first === undefined ? others : [first, ...others]
try {
  await bench((wished.length > 0 ? wished : usualSizes).map(parseSize))
} catch (error) {
  // Its message alone: the error of a tool holds all that it was fed.
  console.error(`bench: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
