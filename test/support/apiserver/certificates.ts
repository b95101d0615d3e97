// A certificate authority and what it signs, made by the openssl tool in a folder that the caller removes.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']

/** @param name of the authority and of its files; two authorities of one folder have two names. */
export async function createAuthority(folder: string, name: string): Promise<CertificateFiles> {
  return create(folder, name, ['-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE'])
}

/** A server certificate for 127.0.0.1, ::1, localhost and kubernetes.default.svc. */
export async function createServerCertificate(
  folder: string,
  name: string,
  authority: CertificateFiles,
): Promise<CertificateFiles> {
  const names = 'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc'
  return create(folder, name, ['-subj', '/CN=kube-apiserver', '-addext', names, ...signedBy(authority), ...usage('serverAuth')])
}

/** A client certificate of this user. */
export async function createClientCertificate(
  folder: string,
  user: string,
  authority: CertificateFiles,
): Promise<CertificateFiles> {
  return create(folder, user, ['-subj', `/CN=${user}`, ...signedBy(authority), ...usage('clientAuth')])
}

export async function readCertificate({
  certificate,
  key,
}: CertificateFiles): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  return { cert: await readFile(certificate), key: await readFile(key) }
}

function signedBy({ certificate, key }: CertificateFiles): readonly string[] {
  return ['-CA', certificate, '-CAkey', key, '-addext', 'basicConstraints=critical,CA:FALSE']
}

function usage(purpose: 'serverAuth' | 'clientAuth'): readonly string[] {
  return ['-addext', `extendedKeyUsage=${purpose}`]
}

async function create(folder: string, name: string, args: readonly string[]): Promise<CertificateFiles> {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }
  await run('openssl', ['req', '-x509', ...newKey, ...args, '-keyout', files.key, '-out', files.certificate])
  return files
}
