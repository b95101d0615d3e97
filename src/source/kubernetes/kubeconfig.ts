// A kubeconfig file, a pod's service account or a bare URL → client-node's KubeConfig with exactly one cluster and user,
// mended where client-node 2.0.1 departs from kubectl: `tokenFile` (it looks for `token-file`), KUBERNETES_EXEC_INFO and relative
// commands of exec plugins, plain http, a context without a user.
import { access, readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node'
import { parse } from 'yaml'

export interface LoadedKubeconfig {
  readonly kubeConfig: KubeConfig
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
  const text = await readText(path)
  const document: unknown = parse(text)
  if (typeof document !== 'object' || document === null) {
    throw new CredentialsError(`kubeconfig ${path} is empty`, 'Write clusters, users, contexts and current-context into it.')
  }
  const kubeConfig = await emptyKubeConfig()
  kubeConfig.loadFromString(text)
  kubeConfig.makePathsAbsolute(dirname(path))
  const { cluster, user } = selected(kubeConfig, path)
  const tokenFile = tokenFileOf(document, user.name)
  return only(kubeConfig, {
    cluster: { ...cluster, server: master ?? cluster.server },
    user: { ...user, exec: execOf(user, cluster, dirname(path)) },
    tokenFile: tokenFile === undefined ? undefined : absolute(dirname(path), tokenFile),
  })
}

export async function loadInCluster(server: string, root: string): Promise<LoadedKubeconfig> {
  const files = { caFile: `${root}${serviceAccount}/ca.crt`, tokenFile: `${root}${serviceAccount}/token` }
  for (const file of Object.values(files)) await readable(file)
  const cluster: Cluster = { name: 'in-cluster', server, caFile: files.caFile, skipTLSVerify: false }
  return only(await emptyKubeConfig(), { cluster, user: { name: 'service-account' }, tokenFile: files.tokenFile })
}

export async function loadServerOnly(server: string): Promise<LoadedKubeconfig> {
  const cluster: Cluster = { name: 'master', server, skipTLSVerify: false }
  return only(await emptyKubeConfig(), { cluster, user: anonymous, tokenFile: undefined })
}

/**
 * By the path of the one file that has it: the package's index brings a thousand generated files, which a bundle could not
 * drop (1.4 MB and 72 MB of memory became 4.3 MB and 82 MB). From a checkout either costs 50 MB and half a second.
 */
async function emptyKubeConfig(): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
  return new KubeConfig()
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

function selected(kubeConfig: KubeConfig, path: string): { readonly cluster: Cluster; readonly user: User } {
  const name = kubeConfig.getCurrentContext()
  const context = kubeConfig.getContexts().find(candidate => candidate.name === name)
  const cluster = kubeConfig.getClusters().find(candidate => candidate.name === context?.cluster)
  if (context === undefined || cluster === undefined) {
    const missing = context === undefined ? `no context ${name || '(current-context is empty)'}` : `no cluster ${context.cluster}`
    throw new CredentialsError(
      `kubeconfig ${path} has ${missing}`,
      'Set current-context to a context whose cluster is in the file.',
    )
  }
  const user = kubeConfig.getUsers().find(candidate => candidate.name === context.user)
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

function only(
  kubeConfig: KubeConfig,
  { cluster, user, tokenFile }: { readonly cluster: Cluster; readonly user: User; readonly tokenFile: string | undefined },
): LoadedKubeconfig {
  const server = serverUrl(cluster.server)
  const plain = server.startsWith('http:')
  kubeConfig.loadFromOptions({
    // client-node refuses http unless nothing is to be verified, which is what http means.
    clusters: [{ ...cluster, server, skipTLSVerify: plain || cluster.skipTLSVerify }],
    users: [tokenFile === undefined ? user : { ...user, token: undefined }],
    contexts: [{ name: 'selected', cluster: cluster.name, user: user.name }],
    currentContext: 'selected',
  })
  return { kubeConfig, server, tokenFile, proxyUrl: cluster.proxyUrl }
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
