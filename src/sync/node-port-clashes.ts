// Node ports that several Services ask for. An API server gives each to one alone; a folder of manifests may have anything.
// Takes what the source told of; costs what changed.
import type { Service, ServiceKey } from '../model/objects.ts'
import { serviceKey } from '../model/objects.ts'
import { isProxied } from '../model/service-port.ts'
import type { ObjectChange } from '../source/source.ts'

export class NodePortClashes {
  /** Services by what they ask for: `30080/TCP`. */
  readonly #claims = new Map<string, Set<ServiceKey>>()
  /** Only of those that ask for any. */
  readonly #ports = new Map<ServiceKey, readonly string[]>()

  /** Gives the clashes that came or have other Services now, in words. */
  apply(changes: readonly ObjectChange[]): readonly string[] {
    const touched = new Set<string>()
    for (const { id, object } of changes) {
      if (!id.startsWith('Service ')) continue
      const key = id.slice('Service '.length) as ServiceKey
      const [before, after] = [this.#ports.get(key) ?? [], object?.kind === 'Service' ? portsOf(object) : []]
      for (const port of before) if (!after.includes(port)) this.#release(port, key, touched)
      for (const port of after) if (!before.includes(port)) this.#claim(port, key, touched)
      if (after.length === 0) this.#ports.delete(key)
      else this.#ports.set(key, after)
    }
    return [...touched].flatMap(port => {
      const services = [...(this.#claims.get(port) ?? [])].sort()
      if (services.length < 2) return []
      return [`node port ${port} is asked for by Services ${services.join(', ')}: ${consequence}`]
    })
  }

  /** Of one Service, in words. */
  remarks({ namespace, name }: Pick<Service, 'namespace' | 'name'>): readonly string[] {
    const key = serviceKey(namespace, name)
    return (this.#ports.get(key) ?? []).flatMap(port => {
      const others = [...(this.#claims.get(port) ?? [])].filter(each => each !== key).sort()
      return others.length === 0 ? [] : [`node port ${port} is asked for by ${others.join(', ')} too: ${consequence}`]
    })
  }

  #claim(port: string, key: ServiceKey, touched: Set<string>): void {
    const claims = this.#claims.get(port)
    if (claims === undefined) this.#claims.set(port, new Set([key]))
    else claims.add(key)
    touched.add(port)
  }

  #release(port: string, key: ServiceKey, touched: Set<string>): void {
    const claims = this.#claims.get(port)
    claims?.delete(key)
    if (claims?.size === 0) this.#claims.delete(port)
    touched.add(port)
  }
}

const consequence = 'connections go to one of them alone, whichever the kernel meets first; give each a port of its own'

function portsOf(service: Service): readonly string[] {
  if (!isProxied(service)) return []
  return service.ports.flatMap(({ nodePort, protocol }) => (nodePort === 0 ? [] : [`${nodePort}/${protocol}`]))
}
