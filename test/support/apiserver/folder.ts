// The files that clients of the server use: a kubeconfig as kubeadm writes it for kube-proxy, the authority's certificate,
// the bearer token. They change as the server's do, as mounted Secrets and projected tokens change.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CertificateFiles, createAuthority, createClientCertificate, createServerCertificate } from './certificates.ts'

export interface ServerFolder {
  readonly path: string
  /** The path of a kubeconfig for the server. */
  readonly kubeconfig: string
  /** The path of the file with the authority that clients are to trust. */
  readonly authority: string
  readonly tokenFile: string
  /** Undefined where the server has no TLS. */
  certificate(): CertificateFiles | undefined
  /** Of the user `switchyard`; undefined where the server has no TLS. */
  clientCertificate(): CertificateFiles | undefined
  /** The authorities whose client certificates the server takes. */
  authorities(): readonly string[]
  writeKubeconfig(server: string): Promise<void>
  writeToken(token: string): Promise<void>
  rotateCertificate(authority: 'same' | 'new'): Promise<void>
  remove(): Promise<void>
}

export interface ServerFolderOptions {
  readonly tls: boolean
  /** How the kubeconfig's user proves who he is. */
  readonly user: 'token' | 'certificate' | 'nobody'
}

export async function createServerFolder({ tls, user }: ServerFolderOptions): Promise<ServerFolder> {
  const path = await mkdtemp(join(tmpdir(), 'switchyard-apiserver-'))
  const files = { kubeconfig: join(path, 'kubeconfig'), authority: join(path, 'ca.crt'), tokenFile: join(path, 'token') }
  const authorities: CertificateFiles[] = []
  let certificate: CertificateFiles | undefined
  let clientCertificate: CertificateFiles | undefined
  let certificates = 0
  if (tls) {
    const first = await addAuthority()
    clientCertificate = await createClientCertificate(path, 'switchyard', first)
    await newCertificate(first)
  }

  return {
    path,
    ...files,
    certificate: () => certificate,
    clientCertificate: () => clientCertificate,
    authorities: () => authorities.map(authority => authority.certificate),
    writeKubeconfig: server => writeFile(files.kubeconfig, JSON.stringify(kubeconfigOf(server), null, 2)),
    writeToken: token => writeFile(files.tokenFile, token),
    async rotateCertificate(which) {
      const authority = which === 'new' ? await addAuthority() : authorities.at(-1)
      if (authority !== undefined) await newCertificate(authority)
    },
    remove: () => rm(path, { recursive: true, force: true }),
  }

  async function addAuthority(): Promise<CertificateFiles> {
    const authority = await createAuthority(path, `authority-${authorities.length + 1}`)
    authorities.push(authority)
    await copyFile(authority.certificate, files.authority)
    return authority
  }

  async function newCertificate(authority: CertificateFiles): Promise<void> {
    certificates += 1
    certificate = await createServerCertificate(path, `server-${certificates}`, authority)
  }

  function kubeconfigOf(server: string): unknown {
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'default', cluster: { server, ...(tls ? { 'certificate-authority': 'ca.crt' } : {}) } }],
      contexts: [{ name: 'default', context: { cluster: 'default', namespace: 'default', user: 'default' } }],
      'current-context': 'default',
      users: [{ name: 'default', user: userOf() }],
    }
  }

  function userOf(): unknown {
    if (user === 'token') return { tokenFile: files.tokenFile }
    if (user === 'certificate') return { 'client-certificate': 'switchyard.crt', 'client-key': 'switchyard.key' }
    return {}
  }
}
