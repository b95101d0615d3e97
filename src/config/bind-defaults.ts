// healthzBindAddress and metricsBindAddress where nobody set them: of bindAddress's family, and on the port of the deprecated
// --healthz-port and --metrics-port, where 0 means no server.
import { familyOf } from '../model/address.ts'
import { bindAddresses } from './check.ts'
import { hasConfigFile, type Traced } from './flag-settings.ts'
import type { FlagValues } from './flags.ts'
import { healthzPort, type kubeProxyFields, metricsPort } from './kube-proxy-fields.ts'

const servers = [
  { path: 'healthzBindAddress', portFlag: 'healthz-port', port: healthzPort, IPv4: '0.0.0.0', IPv6: '[::]' },
  { path: 'metricsBindAddress', portFlag: 'metrics-port', port: metricsPort, IPv4: '127.0.0.1', IPv6: '[::1]' },
] as const

export function withBindDefaults(base: Traced<typeof kubeProxyFields>, given: FlagValues): Traced<typeof kubeProxyFields> {
  const [address] = bindAddresses(base.settings.bindAddress)
  const family = address === undefined ? 'IPv4' : familyOf(address)
  const settings = { ...base.settings }
  const origins = new Map(base.origins)
  for (const server of servers) {
    if (origins.has(server.path)) continue
    const portByFlag = hasConfigFile(given) ? undefined : given[server.portFlag]
    settings[server.path] = portByFlag === 0 ? '' : `${server[family]}:${portByFlag ?? server.port}`
    if (portByFlag !== undefined) origins.set(server.path, 'flag')
  }
  return { settings, origins }
}
