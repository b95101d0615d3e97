// Where the cluster's objects come from, as configured.
import { arch } from 'node:os'
import type { Config, ObjectSource } from '../config/config.ts'
import type { ApiClient } from '../source/kubernetes/client.ts'
import type { KubernetesSource } from '../source/kubernetes/source.ts'
import { manifestFolder } from '../source/manifest/folder.ts'
import type { ReportProblem, Source } from '../source/source.ts'
import type { Logger } from './log.ts'
import { version } from './version.ts'

export interface OpenedSource {
  readonly source: Source
  /** Undefined where the objects come from manifests. */
  readonly api: { readonly client: ApiClient; readonly source: KubernetesSource } | undefined
  close(): Promise<void>
}

/** Throws CredentialsError where the kubeconfig (or the service account) cannot be read. */
export async function openSource(config: Config, log: Logger): Promise<OpenedSource> {
  const report: ReportProblem = ({ severity, where, problem, advice }) => {
    log[severity === 'warning' ? 'warn' : severity](`${where}: ${problem}; ${advice}`)
  }
  const { source } = config
  if (source.kind === 'api server') return openApiServer({ source, nodeName: config.nodeName, report })
  return { source: manifestFolder({ folder: source.directory, report }), api: undefined, close: async () => {} }
}

/** Loaded only here: a node that follows manifests needs none of it. */
async function openApiServer(options: {
  readonly source: Extract<ObjectSource, { kind: 'api server' }>
  readonly nodeName: string
  readonly report: ReportProblem
}): Promise<OpenedSource> {
  const { source, nodeName, report } = options
  const { loadCredentials } = await import('../source/kubernetes/credentials.ts')
  const { createApiClient } = await import('../source/kubernetes/client.ts')
  const { createKubernetesSource } = await import('../source/kubernetes/source.ts')
  const credentials = await loadCredentials({ kubeconfig: source.kubeconfig, master: source.master }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const advice = 'name a kubeconfig (clientConnection.kubeconfig or --kubeconfig), or a folder of manifests (--manifests)'
    throw new Error(`cannot reach an API server: ${reason}; ${advice}`, { cause })
  })
  const client = createApiClient({ credentials, userAgent: `switchyard/${version()} (linux/${arch()})` })
  const following = createKubernetesSource({ client, nodeName, report })
  return { source: following, api: { client, source: following }, close: () => client.close() }
}
