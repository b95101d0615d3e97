// A kubeconfig file, a pod's service account or a bare URL → one cluster and one user as client-node reads them, mended where its version
// 2.0.1 departs from kubectl: `tokenFile` (it looks for `token-file`), KUBERNETES_EXEC_INFO and relative commands of exec plugins, plain http, a
// context without a user. Its KubeConfig is loaded only for users that it has to ask a plugin for: with all that it brings it costs 20 MB of memory.
import { access, readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { dirname, isAbsolute, join } from 'node:path'
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node'
import { newClusters, newContexts, newUsers } from '@kubernetes/client-node/dist/config_types.js'
import { parse } from 'yaml'

export interface LoadedKubeconfig {
  readonly cluster: Cluster
  readonly user: User
  /** What runs the user's plugin; undefined where there is none to run. */
  readonly plugin: KubeConfig | undefined
  /** Without a slash at the end. */
  readonly server: string
  /** A file that holds the bearer token; it is read for each request, since it rotates. */
  readonly tokenFile: string | undefined
  readonly proxyUrl: string | undefined
}

/** The credentials cannot be had: which file or plugin, why, what to do. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError'
  readonly advice: string

  constructor(message: string, advice: string, cause?: unknown) {
    super(message, { cause })
    this.advice = advice
  }
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
const anonymous: User = { name: 'anonymous' }

/** @param master overrides the file's server. */
export async function loadKubeconfig(path: string, master: string | undefined): Promise<LoadedKubeconfig> {
  const document: unknown = parse(await readText(path))
  if (typeof document !== 'object' || document === null) {
    throw new CredentialsError(`kubeconfig ${path} is empty`, 'Write clusters, users, contexts and current-context into it.')
  }
  const { cluster, user } = selected(document, path)
  const tokenFile = tokenFileOf(document, user.name)
  const inFolder = (file: string): string => absolute(dirname(path), file)
  if (cluster.caFile) cluster.caFile = inFolder(cluster.caFile)
  if (user.certFile) user.certFile = inFolder(user.certFile)
  if (user.keyFile) user.keyFile = inFolder(user.keyFile)
  return loaded({
    cluster: { ...cluster, server: master ?? cluster.server },
    user: { ...user, exec: execOf(user, cluster, dirname(path)) },
    tokenFile: tokenFile === undefined ? undefined : inFolder(tokenFile),
  })
}

export async function loadInCluster(server: string, root: string): Promise<LoadedKubeconfig> {
  const files = { caFile: `${root}${serviceAccount}/ca.crt`, tokenFile: `${root}${serviceAccount}/token` }
  for (const file of Object.values(files)) await readable(file)
  const cluster: Cluster = { name: 'in-cluster', server, caFile: files.caFile, skipTLSVerify: false }
  return loaded({ cluster, user: { name: 'service-account' }, tokenFile: files.tokenFile })
}

export async function loadServerOnly(server: string): Promise<LoadedKubeconfig> {
  const cluster: Cluster = { name: 'master', server, skipTLSVerify: false }
  return loaded({ cluster, user: anonymous, tokenFile: undefined })
}

/** As they are now: files are read and plugins asked. But for the token in `tokenFile`. */
export async function requestOptions({ cluster, user, plugin }: LoadedKubeconfig): Promise<RequestOptions> {
  if (plugin !== undefined) {
    const options: RequestOptions = {}
    await plugin.applyToHTTPSOptions(options)
    return options
  }
  const headers = {
    ...(user.token && { authorization: `Bearer ${user.token}` }),
    ...(user.impersonateUser && { 'impersonate-user': user.impersonateUser }),
  }
  return {
    headers,
    auth: user.username ? `${user.username}:${user.password ?? ''}` : undefined,
    ca: await contentOf(cluster.caFile, cluster.caData),
    cert: await contentOf(user.certFile, user.certData),
    key: await contentOf(user.keyFile, user.keyData),
    servername: cluster.tlsServerName,
    rejectUnauthorized: cluster.skipTLSVerify ? false : undefined,
  }
}

async function contentOf(file: string | undefined, base64: string | undefined): Promise<Buffer | undefined> {
  if (file) return readFile(file)
  return base64 ? Buffer.from(base64, 'base64') : undefined
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CredentialsError(
      `kubeconfig ${path} cannot be read: ${reason}`,
      'Mount it, or name another one with --kubeconfig.',
      error,
    )
  }
}

async function readable(path: string): Promise<void> {
  try {
    await access(path)
  } catch (error) {
    throw new CredentialsError(
      `this pod's service account has no ${path}`,
      'Let the pod mount its service account (automountServiceAccountToken), or name a kubeconfig with --kubeconfig.',
      error,
    )
  }
}

function selected(document: object, path: string): { readonly cluster: Cluster; readonly user: User } {
  const name = String(field(document, 'current-context') ?? '')
  const context = newContexts(field(document, 'contexts')).find(candidate => candidate.name === name)
  const cluster = newClusters(field(document, 'clusters')).find(candidate => candidate.name === context?.cluster)
  if (context === undefined || cluster === undefined) {
    const missing = context === undefined ? `no context ${name || '(current-context is empty)'}` : `no cluster ${context.cluster}`
    throw new CredentialsError(
      `kubeconfig ${path} has ${missing}`,
      'Set current-context to a context whose cluster is in the file.',
    )
  }
  const user = newUsers(field(document, 'users')).find(candidate => candidate.name === context.user)
  if (user === undefined && context.user) {
    throw new CredentialsError(
      `kubeconfig ${path} has no user ${context.user}`,
      `Add it to users, or leave it out of context ${name}.`,
    )
  }
  return { cluster, user: user ?? anonymous }
}

/** users[].user.tokenFile, which kubeadm's kubeconfig for kube-proxy has; it goes before `token`, as in kubectl. */
function tokenFileOf(document: unknown, userName: string): string | undefined {
  const users = field(document, 'users')
  const entry = Array.isArray(users) ? users.find(candidate => field(candidate, 'name') === userName) : undefined
  const tokenFile = field(field(entry, 'user'), 'tokenFile')
  return typeof tokenFile === 'string' && tokenFile !== '' ? tokenFile : undefined
}

interface ExecConfig {
  readonly apiVersion?: string
  readonly command?: string
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null
  readonly provideClusterInfo?: boolean
}

/** Plugins are told which version to answer in and that nobody sits at a terminal (client.authentication.k8s.io, ExecCredential). */
function execOf(user: User, cluster: Cluster, folder: string): unknown {
  const exec = user.exec as ExecConfig | undefined | null
  if (typeof exec?.command !== 'string') return exec ?? undefined
  const info = {
    kind: 'ExecCredential',
    apiVersion: exec.apiVersion ?? 'client.authentication.k8s.io/v1',
    spec: { interactive: false, ...(exec.provideClusterInfo === true ? { cluster: clusterInfo(cluster) } : {}) },
  }
  return {
    ...exec,
    command: exec.command.includes('/') ? absolute(folder, exec.command) : exec.command,
    env: [...(exec.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }],
  }
}

function clusterInfo({ server, caData, tlsServerName, skipTLSVerify }: Cluster): unknown {
  return {
    server,
    'certificate-authority-data': caData,
    'tls-server-name': tlsServerName,
    'insecure-skip-tls-verify': skipTLSVerify || undefined,
  }
}

async function loaded(selected: {
  readonly cluster: Cluster
  readonly user: User
  readonly tokenFile: string | undefined
}): Promise<LoadedKubeconfig> {
  const { tokenFile } = selected
  const server = serverUrl(selected.cluster.server)
  const plain = server.startsWith('http:')
  // client-node refuses http unless nothing is to be verified, which is what http means.
  const cluster = { ...selected.cluster, server, skipTLSVerify: plain || selected.cluster.skipTLSVerify }
  const { token, ...withoutToken } = selected.user
  const user = tokenFile === undefined ? selected.user : withoutToken
  const needsPlugin = Boolean(user.exec ?? user.authProvider)
  return {
    ...{ cluster, user, server, tokenFile, proxyUrl: cluster.proxyUrl },
    plugin: needsPlugin ? await pluginOf(cluster, user) : undefined,
  }
}

/**
 * By the path of the one file that has it: the package's index brings a thousand generated files, which a bundle could not drop. From a
 * checkout either costs 50 MB and half a second.
 */
async function pluginOf(cluster: Cluster, user: User): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
  const kubeConfig = new KubeConfig()
  const contexts = [{ name: 'selected', cluster: cluster.name, user: user.name }]
  kubeConfig.loadFromOptions({ clusters: [cluster], users: [user], contexts, currentContext: 'selected' })
  return kubeConfig
}

/** A host alone means http, as kubectl reads it. */
function serverUrl(server: string): string {
  const url = URL.parse(/^[a-z]+:\/\//i.test(server) ? server : `http://${server}`)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CredentialsError(
      `the API server's address ${JSON.stringify(server)} is no http or https URL`,
      'Write it like https://10.0.0.1:6443.',
    )
  }
  return url.href.replace(/\/+$/, '')
}

function absolute(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path)
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
