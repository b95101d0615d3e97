// What a type alone cannot tell: settings that need or contradict each other, and texts with a grammar of their own.
// Takes the typed settings, gives findings without a place. kube-proxy's rules (pkg/proxy/apis/config/validation), and where a value goes
// into an iptables rule, what makes that rule safe.
import { type Address, type Cidr, familyOf, parseAddress, parseCidr } from '../model/address.ts'
import { formatDuration } from './duration.ts'
import { interfaceNameRule } from './interface-name.ts'
import type { KubeProxyPath, KubeProxySettings } from './kube-proxy-fields.ts'
import { type Finding, show } from './problem.ts'

/** Errors, and warnings for errors in what the settings leave unused (`ipvs.*` in iptables mode): kube-proxy ignores those. */
export function checkSettings(settings: KubeProxySettings): readonly Finding[] {
  const findings = [
    ...checkPeriods(settings, 'iptables'),
    ...checkPeriods(settings, 'ipvs'),
    ...checkExcludeCidrs(settings),
    ...checkBindAddress(settings),
    ...checkClusterCidr(settings),
    ...checkInterface(settings, 'BridgeInterface'),
    ...checkInterface(settings, 'InterfaceNamePrefix'),
    ...checkNodePortAddresses(settings),
  ]
  return findings.map(finding => tolerateUnused(finding, settings))
}

/** An error in a setting that nothing reads at present becomes a warning. */
export function tolerateUnused(finding: Finding, settings: KubeProxySettings): Finding {
  const reason = whyUnused(finding.path, settings)
  if (finding.severity !== 'error' || reason === undefined) return finding
  return { ...finding, severity: 'warning', advice: `${finding.advice}; not used: ${reason}` }
}

function whyUnused(path: string, { mode, detectLocalMode }: KubeProxySettings): string | undefined {
  if (path.startsWith('nftables.') || path.startsWith('winkernel.')) return 'there is no such mode here'
  if (mode !== 'ipvs' && path.startsWith('ipvs.')) return `mode is ${mode}`
  if (mode !== 'iptables' && /^iptables\.(s|minS)yncPeriod$/.test(path)) return `mode is ${mode}`
  if (detectLocalMode !== 'ClusterCIDR' && path === 'clusterCIDR') return `detectLocalMode is ${detectLocalMode}`
  return undefined
}

function checkPeriods(settings: KubeProxySettings, mode: 'iptables' | 'ipvs'): Finding[] {
  const least = settings[`${mode}.minSyncPeriod`]
  const period = settings[`${mode}.syncPeriod`]
  if (least <= period) return []
  const advice = `allowed: up to ${mode}.syncPeriod, which is ${formatDuration(period)}`
  return [refused(`${mode}.minSyncPeriod`, formatDuration(least), advice)]
}

function checkExcludeCidrs(settings: KubeProxySettings): Finding[] {
  return settings['ipvs.excludeCIDRs'].flatMap((text, index) =>
    parseCidr(text) === undefined ? [refused('ipvs.excludeCIDRs', text, cidrAdvice, index)] : [],
  )
}

function checkBindAddress({ bindAddress }: KubeProxySettings): Finding[] {
  const addresses = bindAddresses(bindAddress)
  return isOneOrDualStack(addresses)
    ? []
    : [refused('bindAddress', bindAddress, 'allowed: an IP address, or an IPv4 and an IPv6 address with a comma between')]
}

/** The addresses of bindAddress; undefined in the place of one that is none. */
export function bindAddresses(bindAddress: string): readonly (Address | undefined)[] {
  return bindAddress.split(',').map(text => parseAddress(text.trim()))
}

function checkClusterCidr({ clusterCIDR, detectLocalMode }: KubeProxySettings): Finding[] {
  if (!isOneOrDualStack(clusterCidrs(clusterCIDR))) {
    return [
      refused(
        'clusterCIDR',
        clusterCIDR,
        'allowed: a range such as 10.244.0.0/16, or an IPv4 and an IPv6 range with a comma between',
      ),
    ]
  }
  if (clusterCIDR !== '' || detectLocalMode !== 'ClusterCIDR') return []
  const problem = 'is empty: connections from outside the cluster to cluster IPs keep their source and may get no answer'
  return [
    {
      severity: 'info',
      path: 'clusterCIDR',
      problem,
      advice: 'set it to the range of the pods, or choose another detectLocalMode',
    },
  ]
}

/** The ranges of clusterCIDR, none where it is empty; undefined in the place of one that is none. */
export function clusterCidrs(clusterCIDR: string): readonly (Cidr | undefined)[] {
  return clusterCIDR === '' ? [] : clusterCIDR.split(',').map(parseCidr)
}

function isOneOrDualStack(values: readonly (Address | Cidr | undefined)[]): boolean {
  const families = values.map(value => value && familyOf(value))
  return !families.includes(undefined) && new Set(families).size === families.length
}

function checkInterface(settings: KubeProxySettings, mode: 'BridgeInterface' | 'InterfaceNamePrefix'): Finding[] {
  if (settings.detectLocalMode !== mode) return []
  const path = mode === 'BridgeInterface' ? 'detectLocal.bridgeInterface' : 'detectLocal.interfaceNamePrefix'
  const rule = interfaceNameRule(settings[path], mode === 'BridgeInterface' ? 'name' : 'prefix')
  return rule === undefined ? [] : [refused(path, settings[path], `detectLocalMode ${mode} needs it; allowed: ${rule}`)]
}

function checkNodePortAddresses({ nodePortAddresses }: KubeProxySettings): Finding[] {
  return nodePortAddresses.flatMap((text, index) => {
    const isPrimaryAlone = text === 'primary' && nodePortAddresses.length === 1
    return isPrimaryAlone || parseCidr(text) !== undefined
      ? []
      : [refused('nodePortAddresses', text, `${cidrAdvice}, or primary alone`, index)]
  })
}

const cidrAdvice = 'allowed: a range such as 10.0.0.0/8 or fd00::/8'

function refused(path: KubeProxyPath, value: string, advice: string, index?: number): Finding {
  const place = index === undefined ? path : `${path}[${index}]`
  return { severity: 'error', path: place, problem: `${show(value)} is not allowed`, advice }
}
