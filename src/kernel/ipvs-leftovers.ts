// Whether an ipvs mode, ours or kube-proxy's, has left something in this network namespace. Looks without loading a module: who never had IPVS shall
// not get it by being asked.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandError, type Exec } from './exec.ts'
import { dummyLinksQuery, hasLink } from './link.ts'

/** Named as a service proxy names its sets. */
const setNames =
  /^(KUBE|SWITCHYARD)-(6-)?(CLUSTER-IP|LOOP-BACK|EXTERNAL-IP|LOAD-BALANCER|NODE-PORT|HEALTH-CHECK|IPVS-IPS|NO-LOCAL|SPARE)/m

/**
 * @param exec of the network namespace; `link` is the one that carries service addresses.
 * @param modules where the kernel lists those that it has loaded.
 */
export async function hasIpvsLeftovers(exec: Exec, link: string, modules = '/sys/module'): Promise<boolean> {
  const links = await outputOf(exec, dummyLinksQuery.argv)
  if (hasLink(links, link)) return true
  if (!(await exists(join(modules, 'ip_set')))) return false
  return setNames.test(await outputOf(exec, ['ipset', 'list', '-name']))
}

/** Empty where the tool is missing or has nothing to tell. */
function outputOf(exec: Exec, argv: readonly string[]): Promise<string> {
  return exec({ argv }).then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      if (error instanceof CommandError) return ''
      throw error
    },
  )
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
