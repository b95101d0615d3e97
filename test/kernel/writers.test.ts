// One writer a node: who claims, who is named, and how a kube-proxy is recognised.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Claim, claimNode, findKubeProxy } from '../../src/kernel/writers.ts'
import { freePort, until } from '../server/support.ts'

const lockName = '\0switchyard/writer'

/** The claim is one per network namespace, so another run of these tests may hold it for a moment. */
async function claimWhenFree(t: TestContext, self: string): Promise<Claim> {
  const deadline = performance.now() + 30_000
  for (;;) {
    const claim = await claimNode(self)
    if ('release' in claim) {
      // Bounded: a claim that cannot be released fails its own test, and must not hang all of them.
      t.after(() => Promise.race([claim.release(), sleep(2000, undefined, { ref: false })]))
      return claim
    }
    if (performance.now() > deadline) throw new Error(`the claim stays with ${claim.heldBy}`)
    await sleep(20)
  }
}

describe('claimNode', () => {
  it('gives the claim to one, names the holder to the next, and is free again after release', async t => {
    const first = await claimWhenFree(t, 'switchyard 1.2.3 (process 4711)')
    assert.deepEqual(await claimNode('another'), { heldBy: 'switchyard 1.2.3 (process 4711)' })
    assert.deepEqual(await claimNode('another'), { heldBy: 'switchyard 1.2.3 (process 4711)' })
    await first.release()
    const second = await claimWhenFree(t, 'the next one')
    assert.deepEqual(await claimNode('another'), { heldBy: 'the next one' })
    await second.release()
  })

  it('survives those who ask and go before the answer', async t => {
    await claimWhenFree(t, 'the survivor')
    for (let round = 0; round < 50; round++) {
      const socket = connect({ path: lockName })
      await once(socket, 'connect')
      socket.destroy()
      await once(socket, 'close')
    }
    assert.deepEqual(await claimNode('another'), { heldBy: 'the survivor' })
  })

  it('is released although somebody still holds a connection open', { timeout: 20_000 }, async t => {
    const claim = await claimWhenFree(t, 'the released')
    const socket: Socket = connect({ path: lockName, allowHalfOpen: true })
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.resume()
    await once(socket, 'end')
    const late = sleep(5000, 'still waiting for the one who asked')
    assert.equal(await Promise.race([claim.release(), late]), undefined)
  })

  it('ends with its process, however that ends, and keeps no process alive', { timeout: 60_000 }, async t => {
    await (await claimWhenFree(t, 'nobody')).release()
    const script = `const { claimNode } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/kernel/writers.ts'))})
      while (!('release' in (await claimNode('a child')))) await new Promise(resolve => setTimeout(resolve, 20))
      console.log('claimed')
      if (process.argv[1] === 'stay') setInterval(() => {}, 1000)`
    const start = (mode: string) =>
      spawn(process.execPath, ['--input-type=module', '--eval', script, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
    const killed = start('stay')
    t.after(() => killed.kill('SIGKILL'))
    await once(killed.stdout, 'data')
    // Who does not answer within a second is not named; a child on a busy machine may need another.
    await until(async () => {
      const claim = await claimNode('another')
      return 'heldBy' in claim && claim.heldBy === 'a child' ? true : undefined
    }, 'the child to say who it is')
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    const ending = start('end')
    t.after(() => ending.kill('SIGKILL'))
    const [status] = await once(ending, 'exit')
    assert.equal(status, 0)
    await (await claimWhenFree(t, 'after the children')).release()
  })
})

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'writers-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

interface FakeProcess {
  readonly pid: string
  readonly comm: string
  readonly namespace?: string
}

/** A /proc with these processes; our own namespace is `net:[1]`. */
async function fakeProc(t: TestContext, processes: readonly FakeProcess[]): Promise<string> {
  const proc = await temporaryFolder(t)
  for (const { pid, comm, namespace } of [{ pid: 'self', comm: 'node', namespace: 'net:[1]' }, ...processes]) {
    await mkdir(join(proc, pid, 'ns'), { recursive: true })
    await writeFile(join(proc, pid, 'comm'), `${comm}\n`)
    if (namespace !== undefined) await symlink(namespace, join(proc, pid, 'ns/net'))
  }
  return proc
}

type Answer = (
  path: string | undefined,
) => { readonly status: number; readonly body: string; readonly complete?: boolean } | undefined

/** A server on a free port of loopback; no answer: it accepts and is silent. */
async function serve(t: TestContext, answer: Answer): Promise<number> {
  const server: Server = createServer((request, response) => {
    const reply = answer(request.url)
    if (reply === undefined) return
    response.writeHead(reply.status).write(reply.body)
    if (reply.complete !== false) response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return (server.address() as AddressInfo).port
}

describe('findKubeProxy, by its process', () => {
  const rows: readonly (readonly [title: string, processes: readonly FakeProcess[], found: string | undefined])[] = [
    ['finds none among others', [{ pid: '1', comm: 'systemd', namespace: 'net:[1]' }], undefined],
    [
      'names it',
      [
        { pid: '1', comm: 'systemd', namespace: 'net:[1]' },
        { pid: '4711', comm: 'kube-proxy', namespace: 'net:[1]' },
      ],
      'kube-proxy (process 4711)',
    ],
    ['leaves one of another network namespace alone', [{ pid: '4711', comm: 'kube-proxy', namespace: 'net:[2]' }], undefined],
    ['leaves one alone whose namespace it may not see', [{ pid: '4711', comm: 'kube-proxy' }], undefined],
    [
      'takes the name as a whole',
      [
        { pid: '4711', comm: 'kube-proxy-ng', namespace: 'net:[1]' },
        { pid: '4712', comm: 'my-kube-proxy', namespace: 'net:[1]' },
      ],
      undefined,
    ],
    ['looks at processes only', [{ pid: 'sys', comm: 'kube-proxy', namespace: 'net:[1]' }], undefined],
  ]
  for (const [title, processes, found] of rows) {
    it(title, async t => {
      assert.equal(await findKubeProxy({ proc: await fakeProc(t, processes), metricsPort: await freePort() }), found)
    })
  }

  it('finds a real one, a program of that name in our network namespace, until it ends', { timeout: 20_000 }, async t => {
    const folder = await temporaryFolder(t)
    const program = join(folder, 'kube-proxy')
    await copyFile('/bin/sleep', program)
    const child = spawn(program, ['600'], { stdio: 'ignore' })
    t.after(() => child.kill('SIGKILL'))
    await once(child, 'spawn')
    // It has its name a moment after it has begun.
    const named = async () => (await readFile(`/proc/${child.pid}/comm`, 'utf8')).trim() === 'kube-proxy' || undefined
    await until(named, 'a process of that name')
    // Only the two processes that this is about: another one of that name may live on this machine.
    const proc = await temporaryFolder(t)
    await symlink('/proc/self', join(proc, 'self'))
    await symlink(`/proc/${child.pid}`, join(proc, `${child.pid}`))
    const metricsPort = await freePort()
    assert.equal(await findKubeProxy({ proc, metricsPort }), `kube-proxy (process ${child.pid})`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(await findKubeProxy({ proc, metricsPort }), undefined)
  })
})

describe('findKubeProxy, by its port', () => {
  const rows: readonly (readonly [title: string, answer: Answer, mode: string | undefined])[] = [
    ['an iptables one', () => ({ status: 200, body: 'iptables' }), 'iptables'],
    ['an ipvs one, with a newline', () => ({ status: 200, body: 'ipvs\n' }), 'ipvs'],
    ['an nftables one', () => ({ status: 200, body: 'nftables' }), 'nftables'],
    [
      'at this path alone',
      path => (path === '/proxyMode' ? { status: 200, body: 'iptables' } : { status: 404, body: '' }),
      'iptables',
    ],
    ['no other server that answers anything', () => ({ status: 200, body: '<html>iptables</html>' }), undefined],
    ['no server that does not know the path', () => ({ status: 404, body: 'iptables' }), undefined],
    ['no server that fails', () => ({ status: 500, body: 'iptables' }), undefined],
    ['no server that never answers', () => undefined, undefined],
    ['no server that begins an answer and never ends it', () => ({ status: 200, body: 'ipt', complete: false }), undefined],
  ]
  for (const [title, answer, mode] of rows) {
    it(`recognises ${title}`, { timeout: 20_000 }, async t => {
      const metricsPort = await serve(t, answer)
      const found = await findKubeProxy({ proc: await fakeProc(t, []), metricsPort })
      assert.equal(found, mode === undefined ? undefined : `kube-proxy (answers on 127.0.0.1:${metricsPort}, mode ${mode})`)
    })
  }
  it("does not take a Switchyard's metrics, which answer the same, for a kube-proxy", async t => {
    const server = createServer((_, response) => response.writeHead(200, { server: 'switchyard' }).end('iptables'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    assert.equal(await findKubeProxy({ proc: await fakeProc(t, []), metricsPort: port }), undefined)
  })
  it('recognises one by its health port, whatever its health, and no other server there', async t => {
    const bodies = [
      ['{"lastUpdated":"2026-01-01","nodeEligible":true,"healthy":false}', 503, true],
      ['{"status":"ok"}', 200, false],
    ] as const
    for (const [body, status, isOne] of bodies) {
      const healthPort = await serve(t, () => ({ status, body }))
      const found = await findKubeProxy({ proc: await fakeProc(t, []), metricsPort: await freePort(), healthPort })
      assert.equal(found, isOne ? `kube-proxy (answers on 127.0.0.1:${healthPort})` : undefined)
    }
  })
  it('finds none where nobody listens', async t => {
    assert.equal(await findKubeProxy({ proc: await fakeProc(t, []), metricsPort: await freePort() }), undefined)
  })
})
