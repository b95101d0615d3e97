// What the metrics server answers at /switchyard/v1/services. Keeps from the moments of the sync what no other subscriber knows; knows no socket.
import { closest } from '../config/suggest.ts'
import { type ServicesFacts, serviceDetail, serviceList } from '../explain/services.ts'
import type { IpFamily } from '../model/address.ts'
import { type NodeFacts, nodeFacts } from '../model/node.ts'
import { type ServiceKey, serviceKey } from '../model/objects.ts'
import type { ClusterState, Programmed, SyncEvents } from '../sync/events.ts'
import { StandingRemarks } from '../sync/standing-remarks.ts'
import type { Listeners } from '../sync/subscribe.ts'
import { WaitingServices } from '../sync/waiting-services.ts'
import { type HttpRequest, type HttpResponse, jsonResponse, textResponse } from './http.ts'

export interface ServicesOptions {
  readonly families: readonly IpFamily[]
  readonly nodeName: string
  readonly mode: () => string
  /** ipvs.scheduler. */
  readonly scheduler: () => string
  /** Undefined before the source told of anything. */
  readonly cluster: () => ClusterState | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const usualLimit = 200
const largestLimit = 2000

export class ServicesAnswers {
  readonly #options: ServicesOptions
  readonly #waiting = new WaitingServices()
  readonly #remarks = new StandingRemarks()
  readonly #quarantined = new Map<IpFamily, ReadonlyMap<ServiceKey, string>>()
  #node: NodeFacts | undefined

  constructor(options: ServicesOptions) {
    this.#options = options
  }

  readonly listeners: Listeners<SyncEvents> = {
    ...this.#waiting.listeners,
    passStarted: pass => {
      this.#waiting.listeners.passStarted?.(pass)
      this.#remarks.passStarted(pass)
    },
    remarked: remark => void this.#remarks.remarked(remark),
    programmed: pass => this.#learn(pass),
  }

  readonly handler = ({ query }: HttpRequest): HttpResponse => {
    const facts = this.facts()
    if (facts === undefined) return textResponse(503, 'Services are not known yet; ask again\n', { 'Retry-After': '1' })
    const unknown = [...query.keys()].find(name => !['service', 'search', 'limit'].includes(name))
    if (unknown !== undefined) return refused(`there is no ${JSON.stringify(unknown)} to ask for, only service, search and limit`)
    const service = query.get('service')
    return service === null ? list(query, facts) : detail(service, facts)
  }

  facts(): ServicesFacts | undefined {
    const { families, nodeName, mode, scheduler, cluster: current, now } = this.#options
    const cluster = current()
    if (cluster === undefined) return undefined
    return {
      cluster,
      families,
      node: this.#node ?? nodeFacts(nodeName, cluster.node(), []),
      mode: mode(),
      scheduler: scheduler(),
      isWaiting: key => this.#waiting.has(key),
      quarantine: key => [...this.#quarantined.values()].map(reasons => reasons.get(key)).find(reason => reason !== undefined),
      remarks: key => [...new Set(families.flatMap(family => this.#remarksOf(family, key)))],
      time: now(),
    }
  }

  #remarksOf(family: IpFamily, key: ServiceKey): readonly string[] {
    return this.#remarks
      .ofFamily(family)
      .filter(({ service }) => service === key)
      .map(({ message }) => message)
  }

  #learn(pass: Programmed): void {
    this.#waiting.listeners.programmed?.(pass)
    this.#remarks.programmed(pass)
    this.#quarantined.set(pass.family, pass.quarantined)
    this.#node = pass.node
  }
}

function list(query: URLSearchParams, facts: ServicesFacts): HttpResponse {
  const limit = query.get('limit') ?? String(usualLimit)
  if (!/^[1-9]\d*$/.test(limit) || Number(limit) > largestLimit)
    return refused(`limit is ${JSON.stringify(limit)}; expected a number from 1 to ${largestLimit}`)
  return jsonResponse(200, JSON.stringify(serviceList(query.get('search') ?? '', Number(limit), facts)))
}

function detail(name: string, facts: ServicesFacts): HttpResponse {
  if (!/^[^/]+\/[^/]+$/.test(name)) return refused(`service is ${JSON.stringify(name)}; expected NAMESPACE/NAME`)
  const found = serviceDetail(name as ServiceKey, facts)
  return found === undefined ? nobody(name, facts) : jsonResponse(200, JSON.stringify(found))
}

function nobody(name: string, { cluster }: ServicesFacts): HttpResponse {
  const keys = [...cluster.services()].map(service => serviceKey(service.namespace, service.name))
  const [, wanted] = name.split('/')
  const namesake = keys.find(key => key.split('/')[1] === wanted)
  const near = namesake ?? closest(name, keys)
  return textResponse(404, `there is no Service ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`}\n`)
}

function refused(problem: string): HttpResponse {
  return textResponse(400, `${problem}\n`)
}
