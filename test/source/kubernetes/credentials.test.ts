import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CredentialsError, loadCredentials } from '../../../src/source/kubernetes/credentials.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-credentials-'))
})
after(() => rm(folder, { recursive: true }))

let files = 0
async function file(content: unknown, mode?: number): Promise<string> {
  files += 1
  const path = join(folder, `file-${files}`)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  if (mode !== undefined) await chmod(path, mode)
  return path
}

interface Parts {
  readonly cluster?: Readonly<Record<string, unknown>>
  readonly user?: Readonly<Record<string, unknown>> | undefined
  readonly context?: Readonly<Record<string, unknown>>
  readonly current?: string
}

/** As kubeadm writes it for kube-proxy, but for the parts. */
function kubeconfig({ cluster = {}, user = {}, context = {}, current = 'default' }: Parts): Promise<string> {
  return file({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'default', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
    contexts: [{ name: 'default', context: { cluster: 'default', namespace: 'default', user: 'default', ...context } }],
    'current-context': current,
    users: [{ name: 'default', user }],
  })
}

async function accessWith(parts: Parts, master?: string) {
  return (await loadCredentials({ kubeconfig: await kubeconfig(parts), master })).current()
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

describe('a kubeconfig', () => {
  it('gives server, authority and a token', async () => {
    const access = await accessWith({ cluster: { 'certificate-authority-data': base64('CA') }, user: { token: 'secret' } })
    assert.deepEqual(access, {
      server: 'https://10.0.0.1:6443',
      headers: { authorization: 'Bearer secret' },
      tls: { ca: Buffer.from('CA') },
      proxyUrl: undefined,
    })
  })

  it('may name files beside it, and they are read anew for each request', async () => {
    await writeFile(join(folder, 'my.crt'), 'one')
    await writeFile(join(folder, 'my.key'), 'key')
    await writeFile(join(folder, 'my.ca'), 'ca')
    const credentials = await loadCredentials({
      kubeconfig: await kubeconfig({
        cluster: { 'certificate-authority': 'my.ca' },
        user: { 'client-certificate': 'my.crt', 'client-key': 'my.key' },
      }),
    })
    const tls = { ca: Buffer.from('ca'), cert: Buffer.from('one'), key: Buffer.from('key') }
    assert.deepEqual((await credentials.current()).tls, tls)
    await writeFile(join(folder, 'my.crt'), 'two')
    assert.deepEqual((await credentials.current()).tls, { ...tls, cert: Buffer.from('two') })
  })

  it('may name a token file, as kubeadm does, which is read anew for each request and goes before a token', async () => {
    await writeFile(join(folder, 'token'), 'first\n')
    const credentials = await loadCredentials({ kubeconfig: await kubeconfig({ user: { tokenFile: 'token', token: 'stale' } }) })
    assert.deepEqual((await credentials.current()).headers, { authorization: 'Bearer first' })
    await writeFile(join(folder, 'token'), 'second')
    assert.deepEqual((await credentials.current()).headers, { authorization: 'Bearer second' })
  })

  it('may set the name in the certificate, skip its verification, name a proxy, a password or another user to be', async () => {
    const { tls, proxyUrl } = await accessWith({
      cluster: { 'tls-server-name': 'kube.test', 'insecure-skip-tls-verify': true, 'proxy-url': 'http://proxy.test:3128' },
    })
    assert.deepEqual(tls, { servername: 'kube.test', rejectUnauthorized: false })
    assert.equal(proxyUrl, 'http://proxy.test:3128')
    assert.deepEqual((await accessWith({ user: { username: 'a', password: 'b' } })).headers, {
      authorization: `Basic ${base64('a:b')}`,
    })
    const impersonating = await accessWith({ user: { token: 'secret', as: 'other' } })
    assert.deepEqual(impersonating.headers, { authorization: 'Bearer secret', 'impersonate-user': 'other' })
  })

  it('may name no user at all; the authority still counts', async () => {
    const access = await accessWith({ context: { user: '' }, cluster: { 'certificate-authority-data': base64('CA') } })
    assert.deepEqual([access.headers, access.tls], [{}, { ca: Buffer.from('CA') }])
  })

  it('is overridden by --master in its server only', async () => {
    const access = await accessWith({ user: { token: 'secret' } }, 'https://[fd00::1]:6443/')
    assert.equal(access.server, 'https://[fd00::1]:6443')
    assert.deepEqual(access.headers, { authorization: 'Bearer secret' })
  })

  it('is loaded again when the server refused it, and kept where it has become invalid', async () => {
    const path = await kubeconfig({ user: { token: 'old' } })
    const credentials = await loadCredentials({ kubeconfig: path })
    await writeFile(path, (await readFile(path, 'utf8')).replace('"old"', '"new"'))
    assert.deepEqual((await credentials.current()).headers, { authorization: 'Bearer old' })
    await credentials.refresh()
    assert.deepEqual((await credentials.current()).headers, { authorization: 'Bearer new' })
    await writeFile(path, 'clusters: [')
    await assert.rejects(credentials.refresh(), CredentialsError)
    assert.deepEqual((await credentials.current()).headers, { authorization: 'Bearer new' })
  })

  const faults: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    ['that is not there', async () => join(folder, 'nowhere'), /kubeconfig .*nowhere cannot be read: ENOENT/],
    ['that is no YAML', () => file('clusters: ['), /^kubeconfig /],
    ['that is empty', () => file(''), /^kubeconfig .* is empty$/],
    ['without a current context', () => kubeconfig({ current: '' }), /has no context \(current-context is empty\)/],
    ['whose context is not there', () => kubeconfig({ current: 'prod' }), /has no context prod/],
    ['whose cluster is not there', () => kubeconfig({ context: { cluster: 'prod' } }), /has no cluster prod/],
    ['whose user is not there', () => kubeconfig({ context: { user: 'me' } }), /has no user me/],
    ['without a server', () => kubeconfig({ cluster: { server: '' } }), /server is missing/],
    ['whose server is no URL', () => kubeconfig({ cluster: { server: 'ftp://x' } }), /"ftp:\/\/x" is no http or https URL/],
    ['whose authority file is not there', () => kubeconfig({ cluster: { 'certificate-authority': 'nope.crt' } }), /nope\.crt/],
    ['whose token file is not there', () => kubeconfig({ user: { tokenFile: 'no-token' } }), /no-token/],
  ]
  for (const [title, make, message] of faults) {
    it(`${title} is an error that names it`, async () => {
      const kubeconfigPath = await make()
      const use = async () => (await loadCredentials({ kubeconfig: kubeconfigPath })).current()
      await assert.rejects(use, error => error instanceof CredentialsError && message.test(error.message) && error.advice !== '')
    })
  }
})

describe('an exec plugin', () => {
  const plugin = (body: string) => file(`#!/bin/sh\n${body}\n`, 0o755)
  const execUser = (command: string, more: object = {}) => ({
    user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never', ...more } },
  })

  it('is run once for all requests while its answer holds, and again after a refusal', async () => {
    const count = join(folder, 'runs')
    const command = await plugin(
      `echo run >> ${count}\nn=$(wc -l < ${count})\necho "{\\"status\\":{\\"token\\":\\"token-$n\\"}}"`,
    )
    const credentials = await loadCredentials({ kubeconfig: await kubeconfig(execUser(command)) })
    const tokens = [await credentials.current(), await credentials.current()].map(({ headers }) => headers['authorization'])
    assert.deepEqual(tokens, ['Bearer token-1', 'Bearer token-1'])
    await credentials.refresh()
    assert.equal((await credentials.current()).headers['authorization'], 'Bearer token-2')
  })

  it('may give a client certificate', async () => {
    const command = await plugin(`echo '{"status":{"clientCertificateData":"CERT","clientKeyData":"KEY"}}'`)
    assert.deepEqual((await accessWith(execUser(command))).tls, { cert: 'CERT', key: 'KEY' })
  })

  it('is told what to answer, gets its own environment, and is found beside the kubeconfig', async () => {
    await writeFile(
      join(folder, 'plugin'),
      `#!/bin/sh\ninfo=$(echo "$KUBERNETES_EXEC_INFO $EXTRA" | base64 -w0)\necho "{\\"status\\":{\\"token\\":\\"$info\\"}}"\n`,
      {
        mode: 0o755,
      },
    )
    const { headers } = await accessWith(
      execUser('./plugin', { env: [{ name: 'EXTRA', value: 'extra' }], provideClusterInfo: true }),
    )
    const [info = '', extra] = Buffer.from(headers['authorization']?.slice('Bearer '.length) ?? '', 'base64')
      .toString()
      .trim()
      .split(/ (?=\w+$)/)
    assert.equal(extra, 'extra')
    assert.deepEqual(JSON.parse(info), {
      kind: 'ExecCredential',
      apiVersion: 'client.authentication.k8s.io/v1',
      spec: { interactive: false, cluster: { server: 'https://10.0.0.1:6443' } },
    })
  })

  const faults: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    ['is not there', async () => '/nonexistent/plugin', /ENOENT/],
    ['fails', () => plugin('echo no session >&2; exit 1'), /no session/],
    ['says no JSON', () => plugin('echo hello'), /JSON/],
  ]
  for (const [title, make, message] of faults) {
    it(`that ${title} is an error that says so`, async () => {
      const command = await make()
      await assert.rejects(
        accessWith(execUser(command)),
        error => error instanceof CredentialsError && message.test(error.message),
      )
    })
  }
})

describe("a pod's service account", () => {
  const environment = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }

  async function serviceAccount(): Promise<string> {
    const root = await mkdtemp(join(folder, 'root-'))
    const mounted = join(root, 'var/run/secrets/kubernetes.io/serviceaccount')
    await mkdir(mounted, { recursive: true })
    await writeFile(join(mounted, 'ca.crt'), 'CA')
    await writeFile(join(mounted, 'token'), 'first')
    return root
  }

  it('is used where neither a kubeconfig nor a server is named; its token is read anew for each request', async () => {
    const root = await serviceAccount()
    const credentials = await loadCredentials({ environment, serviceAccountRoot: root })
    assert.deepEqual(await credentials.current(), {
      server: 'https://10.96.0.1',
      headers: { authorization: 'Bearer first' },
      tls: { ca: Buffer.from('CA') },
      proxyUrl: undefined,
    })
    await writeFile(join(root, 'var/run/secrets/kubernetes.io/serviceaccount/token'), 'rotated')
    assert.deepEqual((await credentials.current()).headers, { authorization: 'Bearer rotated' })
  })

  it('may have an IPv6 server', async () => {
    const root = await serviceAccount()
    const host = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
    assert.equal((await loadCredentials({ environment: host, serviceAccountRoot: root })).server, 'https://[fd00::1]:6443')
  })

  it('that is not mounted, or outside a pod, is an error that says what to name instead', async () => {
    const missing = loadCredentials({ environment, serviceAccountRoot: join(folder, 'empty') })
    await assert.rejects(missing, error => error instanceof CredentialsError && /has no .*ca\.crt/.test(error.message))
    await assert.rejects(
      loadCredentials({ environment: {} }),
      error => error instanceof CredentialsError && /--kubeconfig/.test(error.advice),
    )
  })
})

describe('a server alone', () => {
  const rows = [
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['https://10.0.0.1:6443/clusters/a/', 'https://10.0.0.1:6443/clusters/a'],
  ] as const
  for (const [master, server] of rows) {
    it(`${master} is asked without credentials`, async () => {
      const access = await (await loadCredentials({ master })).current()
      assert.deepEqual([access.server, access.headers], [server, {}])
    })
  }
})
