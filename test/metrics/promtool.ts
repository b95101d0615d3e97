// `promtool check metrics`, of Debian's package prometheus: reads an exposition as Prometheus does and judges its names.
import { execa } from 'execa'

const debianProgram = new URL('../support/debian-program', import.meta.url).pathname

/** The names of kube-proxy that break the rules: dashboards know them, so they stay. */
export const complaintsAboutKubeProxy = [
  'kubeproxy_sync_proxy_rules_iptables_total non-counter metrics should not have "_total" suffix',
  'kubeproxy_sync_proxy_rules_no_local_endpoints_total non-counter metrics should not have "_total" suffix',
]

/** What it complains of, sorted. Throws where it could not be started. */
export async function promtoolComplaints(text: string): Promise<readonly string[]> {
  const { stdout: promtool } = await execa(debianProgram, ['prometheus', 'usr/bin/promtool'])
  const { stderr, exitCode } = await execa(promtool, ['check', 'metrics'], { input: text, reject: false })
  if (exitCode === undefined) throw new Error(`promtool did not start: ${stderr}`)
  const complaints = stderr.split('\n').filter(Boolean).sort()
  if ((exitCode === 0) !== (complaints.length === 0)) throw new Error(`promtool ended with ${exitCode} and said: ${stderr}`)
  return complaints
}
