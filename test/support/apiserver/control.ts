// The server's methods as messages: what `main.ts` takes over POST /control and `remote.ts` sends there.
import { type ChurnOptions, churn } from './churn.ts'
import type { ApiObject, ApiServer, ApiServerOptions, Fault, RecordedRequest } from './index.ts'

export type Command =
  | { readonly do: 'put'; readonly objects: readonly ApiObject[] }
  | { readonly do: 'remove'; readonly objects: readonly ApiObject[] }
  | { readonly do: 'list'; readonly plural: string }
  | { readonly do: 'fault'; readonly fault: Fault }
  | { readonly do: 'mend' }
  | { readonly do: 'requests' }
  | ({ readonly do: 'churn' } & ChurnOptions)
  | { readonly do: 'watches'; readonly plural: string }
  | { readonly do: 'unread'; readonly plural: string }
  | { readonly do: 'close' }

export interface Answers {
  readonly put: readonly ApiObject[]
  readonly remove: null
  readonly list: readonly ApiObject[]
  readonly fault: null
  readonly mend: null
  readonly requests: readonly RecordedRequest[]
  readonly churn: null
  readonly watches: number
  readonly unread: number
  readonly close: null
}

/** What a server of its own process says when it is there: one line of JSON on its standard output. */
export interface Announcement {
  readonly url: string
  readonly kubeconfig: string
  readonly folder: string
  /** Where commands are posted to. */
  readonly control: string
}

export type StartOptions = ApiServerOptions

export async function obey(server: ApiServer, command: Command): Promise<Answers[Command['do']]> {
  switch (command.do) {
    case 'put':
      return command.objects.map(object => server.put(object))
    case 'remove':
      for (const object of command.objects) server.remove(object)
      return null
    case 'list':
      return server.list(command.plural)
    case 'fault':
      await server.fault(command.fault)
      return null
    case 'mend':
      server.mend()
      return null
    case 'requests':
      return server.requests
    case 'churn':
      churn(server, command)
      return null
    case 'watches':
      return server.watches(command.plural)
    case 'unread':
      return server.unread(command.plural)
    case 'close':
      await server.close()
      return null
  }
}
