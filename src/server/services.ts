// GET /switchyard/v1/services: what this node knows of Services, as a list or of one alone. Answers from what is in memory; touches no kernel.
import type { Config } from '../config/config.ts'
import { type ServicesQuestion, serviceDetail, serviceList } from '../explain/services.ts'
import { noService } from '../explain/unread.ts'
import { nodeFacts } from '../model/node.ts'
import type { ServiceKey } from '../model/objects.ts'
import { closest } from '../model/suggest.ts'
import type { Unread } from '../source/source.ts'
import type { ObserverClock } from '../sync/clock.ts'
import type { ClusterState, SyncEvents } from '../sync/events.ts'
import { NodePortClashes } from '../sync/node-port-clashes.ts'
import type { Listeners } from '../sync/subscribe.ts'
import { type Handler, type HttpResponse, jsonResponse, textResponse } from './http.ts'
import { queryProblem } from './query.ts'
import { ServiceStates } from './service-states.ts'

export interface NodeServicesOptions {
  /** Of the families that are programmed; the families stay, the modes may change. */
  readonly modes: () => ServicesQuestion['modes']
  readonly live: { readonly config: Pick<Config, 'nodeName' | 'mode' | 'traffic'> }
  readonly clock: Pick<ObserverClock, 'wall'>
  /** What the source cannot read at the moment. */
  readonly unread: () => readonly Unread[]
}

export class NodeServices {
  readonly #options: NodeServicesOptions
  readonly #states: ServiceStates
  readonly #clashes = new NodePortClashes()
  #cluster: ClusterState | undefined
  #interfaceAddresses: readonly ServicesQuestion['node']['interfaceAddresses'][number][] = []

  constructor(options: NodeServicesOptions) {
    this.#options = options
    this.#states = new ServiceStates(options.modes().map(({ family }) => family))
    this.listeners = {
      ...this.#states.listeners,
      changed: ({ cluster, changes }) => {
        this.#clashes.apply(changes)
        this.#cluster = cluster
      },
      programmed: pass => {
        this.#states.listeners.programmed?.(pass)
        this.#interfaceAddresses = pass.node.interfaceAddresses
      },
    }
  }

  readonly listeners: Listeners<SyncEvents>

  /** JSON of one Service, for who keeps looking: `null` where there is none; undefined where that is not known yet. */
  readonly one = (name: string): string | undefined => {
    const question = this.question()
    return question === undefined ? undefined : JSON.stringify(serviceDetail(question, name as ServiceKey) ?? null)
  }

  /** What the functions of explain/ ask for, as of now; undefined until the source has told of anything. */
  question(): ServicesQuestion | undefined {
    const cluster = this.#cluster
    if (cluster === undefined) return undefined
    const { modes, live, clock, unread } = this.#options
    const { nodeName, mode, traffic } = live.config
    return {
      cluster,
      modes: modes(),
      mode,
      node: nodeFacts(nodeName, cluster.node(), this.#interfaceAddresses),
      settings: traffic,
      stateOf: this.#states.read(),
      clashesOf: service => this.#clashes.remarks(service),
      unread: unread(),
      time: new Date(clock.wall()).toISOString(),
    }
  }
}

const usualLimit = 200
const mostAtOnce = 2000
const longestSearch = 253
/** A wrong name must not keep the daemon from its work. */
const mostCompared = 1000
const known = ['search', 'name', 'limit', 'service']
const serviceName = /^[a-z0-9.-]{1,253}\/[a-z0-9.-]{1,253}$/

export function servicesHandler(services: Pick<NodeServices, 'question'>): Handler {
  return ({ query }) => {
    const question = services.question()
    if (question === undefined) return textResponse(503, 'Services are not known yet; ask again\n', { 'Retry-After': '1' })
    const problem = queryProblem(query, known)
    if (problem !== undefined) return refuse(problem)
    const service = query.get('service')
    return service === null ? list(question, query) : one(question, query, service)
  }
}

function list(question: ServicesQuestion, query: URLSearchParams): HttpResponse {
  const search = query.get('search') ?? ''
  const limit = query.get('limit') ?? String(usualLimit)
  if (search.length > longestSearch) return refuse(`search: expected at most ${longestSearch} characters, not ${search.length}`)
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > mostAtOnce) {
    return refuse(`limit: expected a whole number from 1 to ${mostAtOnce}, not ${JSON.stringify(limit)}`)
  }
  const name = query.get('name') ?? undefined
  return json(serviceList(question, { search, name, limit: Number(limit) }))
}

function one(question: ServicesQuestion, query: URLSearchParams, key: string): HttpResponse {
  const other = known.find(name => name !== 'service' && query.has(name))
  if (other !== undefined) return refuse(`${other}: expected nothing beside service, which names one Service`)
  if (!serviceName.test(key))
    return refuse(`service: expected NAMESPACE/NAME, such as default/web, not ${JSON.stringify(key.slice(0, longestSearch))}`)
  const detail = serviceDetail(question, key as ServiceKey)
  return detail === undefined ? textResponse(404, `${noSuchService(question, key)}\n`) : json(detail)
}

/** Names those that may have been meant: the same name elsewhere, or one of the namespace that is written almost so. */
function noSuchService({ cluster, unread }: ServicesQuestion, key: string): string {
  const [namespace = '', name = ''] = key.split('/')
  const services = [...cluster.services()]
  const sameName = services.filter(other => other.name === name).map(other => `${other.namespace}/${name}`)
  const neighbours = services.filter(other => other.namespace === namespace).map(other => `${namespace}/${other.name}`)
  const almost = closest(key, neighbours.slice(0, mostCompared))
  const similar = sameName.length > 0 ? sameName.toSorted().slice(0, 5) : almost === undefined ? [] : [almost]
  const none = `there is no Service ${key}${similar.length === 0 ? '' : `; similar: ${similar.join(', ')}`}`
  return noService({ namespace, name }, { unread, none })
}

function json(object: unknown): HttpResponse {
  return jsonResponse(200, `${JSON.stringify(object)}\n`)
}

function refuse(problem: string): HttpResponse {
  return textResponse(400, `${problem}\n`)
}
