// Who we are to the API server, and how we know that it is the right one. Takes a kubeconfig, the pod's service account or
// a bare URL; gives the server, the headers and the TLS options of one request at a time, since tokens and certificates rotate.
// Plugins (exec, auth-provider) are client-node's KubeConfig, which also starts their processes.
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { isIPv6 } from 'node:net'
import {
  CredentialsError,
  type LoadedKubeconfig,
  loadInCluster,
  loadKubeconfig,
  loadServerOnly,
  requestOptions,
} from './kubeconfig.ts'

export { CredentialsError } from './kubeconfig.ts'

export interface CredentialOptions {
  /** Path of a kubeconfig file (clientConnection.kubeconfig or --kubeconfig). */
  readonly kubeconfig?: string | undefined
  /** URL of the API server that overrides the kubeconfig's (--master). */
  readonly master?: string | undefined
  /** For KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. Default process.env. */
  readonly environment?: NodeJS.ProcessEnv
  /** What stands before /var/run/secrets/kubernetes.io/serviceaccount. Default nothing. */
  readonly serviceAccountRoot?: string
}

/** What one request needs, as it is now. */
export interface Access {
  /** The API server's URL, without a slash at the end. */
  readonly server: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsOptions
  /** An HTTP proxy in between. */
  readonly proxyUrl: string | undefined
}

/** Options of tls.connect(). */
export interface TlsOptions {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized?: false
}

export interface Credentials {
  /** For messages: `kubeconfig /etc/kubernetes/proxy.conf`, `this pod's service account`. */
  readonly description: string
  /** The server as of the last load, for messages. */
  readonly server: string
  /** Reads token and certificate files; runs an exec plugin where its last answer has expired. Throws CredentialsError. */
  current(): Promise<Access>
  /** Loads everything again and forgets what an exec plugin said, after the server refused it. Throws CredentialsError; then the former stay. */
  refresh(): Promise<void>
}

/**
 * As kube-proxy chooses: the kubeconfig file, its server overridden by `master`; `master` alone, without credentials; else the
 * pod's service account. Throws CredentialsError.
 */
export async function loadCredentials(options: CredentialOptions): Promise<Credentials> {
  const description = describe(options)
  const load = () => naming(description, () => loadFrom(options))
  let loaded = await load()
  return {
    description,
    get server() {
      return loaded.server
    },
    current: () => naming(description, () => accessOf(loaded)),
    async refresh() {
      loaded = await load()
    },
  }
}

function describe({ kubeconfig, master }: CredentialOptions): string {
  if (kubeconfig !== undefined) return `kubeconfig ${kubeconfig}`
  return master === undefined ? "this pod's service account" : `no credentials (only the server ${master})`
}

async function loadFrom(options: CredentialOptions): Promise<LoadedKubeconfig> {
  const { kubeconfig, master, environment = process.env, serviceAccountRoot = '' } = options
  if (kubeconfig !== undefined) return loadKubeconfig(kubeconfig, master)
  if (master !== undefined) return loadServerOnly(master)
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment
  if (host === undefined || host === '' || port === undefined || port === '') {
    throw new CredentialsError(
      'no kubeconfig, and KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this is not a pod',
      'Name a kubeconfig (clientConnection.kubeconfig or --kubeconfig), a server (--master) or a folder of manifests (--manifests).',
    )
  }
  return loadInCluster(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`, serviceAccountRoot)
}

async function accessOf(loaded: LoadedKubeconfig): Promise<Access> {
  const { server, tokenFile, proxyUrl } = loaded
  const options = await requestOptions(loaded)
  const headers = textHeaders(options)
  if (tokenFile !== undefined) headers['authorization'] = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`
  return { server, headers, tls: tlsOf(options), proxyUrl }
}

function textHeaders({ headers = {}, auth }: RequestOptions): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)])
  const basic = typeof auth === 'string' ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
  return { ...basic, ...Object.fromEntries(entries) }
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): TlsOptions {
  return {
    ...(isPem(ca) ? { ca } : {}),
    ...(isPem(cert) ? { cert } : {}),
    ...(isPem(key) ? { key } : {}),
    ...(typeof servername === 'string' && servername !== '' ? { servername } : {}),
    ...(rejectUnauthorized === false ? { rejectUnauthorized } : {}),
  }
}

function isPem(value: unknown): value is string | Buffer {
  return typeof value === 'string' || Buffer.isBuffer(value)
}

async function naming<T>(description: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof CredentialsError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new CredentialsError(`${description}: ${reason.trim()}`, 'Mend it; it is read again before the next try.', error)
  }
}
