// `mode: ipvs` where it cannot work: one message says what is missing and what to do, before anything is changed. In user-mode Linux, whose modules can be
// left out one by one, so on every machine.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { execa } from 'execa'

const root = new URL('../../', import.meta.url).pathname

/** Runs a script in a sandbox in a guest that lacks modules; `$S` starts the daemon for a moment, in ipvs mode unless told otherwise. */
async function inGuest(without: readonly string[], script: string) {
  const daemon = `${root}bin/switchyard --manifests /run/tmp/m --hostname-override node1 --state-dir /run/tmp/s --metrics-bind-address 127.0.0.1:10249`
  const prepare = `mkdir -p /run/tmp/m; ip link set lo up; S='${daemon}'; cd ${root}`
  const left = without.flatMap(module => ['--without', module])
  const words = [...left, `${root}scripts/sandbox`, 'bash', '-c', `${prepare}\n${script}`]
  const { all, exitCode } = await execa(`${root}scripts/guest`, words, {
    all: true,
    reject: false,
    stdin: 'ignore',
    timeout: 300_000,
  })
  return { said: all, exitCode }
}

/** Two at a time: each takes a processor. */
describe('ipvs mode is refused at start', { concurrency: 2 }, () => {
  test('on a kernel without IPVS, which is named with the ways out', async () => {
    const { said, exitCode } = await inGuest(['ip_vs*'], '$S --proxy-mode ipvs; status=$?; iptables-save; exit $status')
    assert.equal(exitCode, 1)
    assert.match(said, /ip_vs/)
    assert.match(said, /mode: iptables/)
    assert.match(said, /ipvs\.unavailable: fallback/)
    assert.doesNotMatch(said, /KUBE-SERVICES/, 'nothing was programmed')
  })

  test('without the scheduler that is configured', async () => {
    const { said, exitCode } = await inGuest(['ip_vs_sh'], '$S --proxy-mode ipvs --ipvs-scheduler sh')
    assert.equal(exitCode, 1)
    assert.match(said, /ip_vs_sh/)
  })

  test('without ipvsadm or ipset, each named with its package', async () => {
    const hide = 'mkdir /run/tmp/bin; ln -s -t /run/tmp/bin /usr/sbin/* /usr/bin/* 2> /dev/null; rm /run/tmp/bin/{ipvsadm,ipset}'
    const { said, exitCode } = await inGuest([], `${hide}; PATH=${root}node_modules/.bin:/run/tmp/bin $S --proxy-mode ipvs`)
    assert.equal(exitCode, 1)
    assert.match(said, /apt-get install ipvsadm/)
    assert.match(said, /apt-get install ipset/)
  })
})

describe('where ipvs mode cannot work', { concurrency: 2 }, () => {
  const files = (mode: string, unavailable: string) => `mkdir /run/tmp/c; cd /run/tmp/c
printf 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\\nkind: KubeProxyConfiguration\\nmode: ${mode}\\n' > config.yaml
printf 'apiVersion: switchyard/v1alpha1\\nkind: SwitchyardConfiguration\\nipvs: {unavailable: ${unavailable}}\\n' > switchyard.conf
$S --config /run/tmp/c/config.yaml > log & pid=$!
wait_for() { for i in $(seq 600); do grep -q "$1" log && return; sleep 0.1; done; cat log; exit 9; }
ask() { exec 3<> /dev/tcp/127.0.0.1/10249; printf 'GET /proxyMode HTTP/1.0\\r\\n\\r\\n' >&3; tail -1 <&3; echo; }`

  test('ipvs.unavailable: fallback runs iptables mode, and says so', async () => {
    const script = `${files('ipvs', 'fallback')}\nwait_for 'synced IPv4'; iptables-save | grep -c 'A PREROUTING.*KUBE-SERVICES'; ask; cat log; kill $pid; wait $pid`
    const { said, exitCode } = await inGuest(['ip_vs*'], script)
    assert.equal(exitCode, 0, said)
    assert.match(said, /^1\n/)
    assert.match(said, /^iptables$/m)
    assert.match(said, /"level":"error"[^\n]*Running in iptables mode instead/)
  })

  test('a change of the running daemon is refused, and iptables mode stays', async () => {
    const script = `${files('iptables', 'fail')}\nwait_for 'synced IPv4'; sed -i s/iptables/ipvs/ config.yaml; wait_for 'is refused'; iptables-save | grep -c 'A PREROUTING.*KUBE-SERVICES'; ask; cat log; kill $pid; wait $pid`
    const { said, exitCode } = await inGuest(['ip_vs*'], script)
    assert.equal(exitCode, 0, said)
    assert.match(said, /^1\n/)
    assert.match(said, /^iptables$/m)
    assert.match(said, /the change of mode from [^\n]* is refused, what was in force stays: [^\n]*ip_vs/)
  })
})
