// What `switchyard status services` asks the daemon: a list, one Service, or all of a name.

import { type ServiceDetail, type ServiceList, servicesPath } from '../explain/services-object.ts'
import { closest } from '../model/suggest.ts'
import type { DaemonAnswer, NoAnswer } from './ask-daemon.ts'
import { serviceDetailText, serviceListText } from './services-text.ts'
import type { Told } from './status.ts'

/** As many as the daemon gives at once. */
const mostListed = 2000

type Get = <T>(path: string, kind: string) => Promise<DaemonAnswer<T>>

export interface ServicesWish {
  /** `web` or `default/web`; undefined: all that `search` finds. */
  readonly name: string | undefined
  readonly search: string
  readonly limit: number | undefined
}

type Outcome = Told | NoAnswer

export async function askForServices(get: Get, { name, search, limit }: ServicesWish): Promise<Outcome> {
  if (name?.includes('/')) return oneService(get, name)
  if (name === undefined) {
    const found = await list(get, { ...(search !== '' && { search }), ...(limit !== undefined && { limit: String(limit) }) })
    return 'problem' in found ? found : listed(found.object, search === '' ? undefined : `for ${JSON.stringify(search)}`)
  }
  const found = await list(get, { name })
  if ('problem' in found) return found
  const [first, ...others] = found.object.services
  const [unread] = found.object.unread ?? []
  if (first === undefined && unread !== undefined) return { problem: `${unread.where} cannot be read: ${unread.problem}` }
  if (first === undefined) return { problem: `there is no Service ${name} in any namespace; ${await nearest(get, name)}` }
  return others.length === 0 ? oneService(get, first.service) : listed(found.object, `called ${JSON.stringify(name)}`)
}

/** What may have been meant. */
async function nearest(get: Get, name: string): Promise<string> {
  const all = await list(get, { limit: String(mostListed) })
  const services = 'problem' in all ? [] : all.object.services.map(({ service }) => service)
  const nameOf = (service: string): string => service.slice(service.indexOf('/') + 1)
  const meant = closest(name, new Set(services.map(nameOf)))
  const found = services.find(service => nameOf(service) === meant)
  return found === undefined ? "'switchyard status services --search TEXT' looks for a part of a name" : `did you mean ${found}?`
}

function list(get: Get, parameters: Readonly<Record<string, string>>): Promise<DaemonAnswer<ServiceList>> {
  return get<ServiceList>(`${servicesPath}?${new URLSearchParams(parameters)}`, 'ServiceList')
}

function listed(object: ServiceList, asked: string | undefined): Told {
  return { object, text: screen => serviceListText(object, screen, asked) }
}

async function oneService(get: Get, service: string): Promise<Outcome> {
  const answer = await get<ServiceDetail>(`${servicesPath}?${new URLSearchParams({ service })}`, 'ServiceDetail')
  return 'problem' in answer ? answer : { object: answer.object, text: screen => serviceDetailText(answer.object, screen) }
}
