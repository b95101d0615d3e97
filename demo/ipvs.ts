// What only ipvs mode has to show: virtual servers, and a pod that goes away while a client talks to it.
import { expect, look, type Tour } from './ask.ts'
import { command, good, say, step } from './screen.ts'

const timeoutMs = 3000

/** Shows the virtual servers of a node port, as the tutorials do. */
export async function showNodePort(tour: Tour): Promise<void> {
  const found = await look(tour, 'ipvsadm -ln | grep -A 3 :30123')
  const addresses = found.match(/\S+(?=:30123 )/g) ?? []
  expect(addresses.length > 1, `a virtual server at each address of the node: ${addresses.join(', ')}`, `there is ${found}`)
}

/** A connection of web-1 to web-3 by the cluster IP of myweb-svc, as its number. */
export async function openConnection({ lab }: Tour): Promise<number> {
  command('nc 10.96.10.1 80            # in web-1: a connection that stays open')
  const client = lab.agent('web-1')
  for (let tries = 0; tries < 10; tries++) {
    const held = await client.ask('hold', { protocol: 'TCP', address: '10.96.10.1', port: 80, timeoutMs })
    const answer = await client.ask('pingHeld', { held, timeoutMs })
    if (answer.ok && answer.name === 'web-3') {
      say('web-3 answers. And now that is the pod that goes:')
      return held
    }
    await client.ask('release', held)
  }
  throw new Error('expected: one of ten connections is with web-3; but none is')
}

/** That it goes on although the pod gets no new ones. */
export async function showDrain(tour: Tour, held: number): Promise<void> {
  const found = await look(tour, 'ipvsadm -ln -t 10.96.10.1:80')
  expect(/10\.244\.1\.13:8080 +Masq +0 /.test(found), 'web-3 drains: weight 0 keeps its connections and takes no new one', found)
  const answer = await tour.lab.agent('web-1').ask('pingHeld', { held, timeoutMs })
  expect(answer.ok, 'the open connection goes on: web-3 answers there still', JSON.stringify(answer))
  say('It goes when its connections have ended, at the latest after 2 minutes; until then `switchyard status` shows it.')
}

export async function showVirtualServers(tour: Tour): Promise<void> {
  step('What the kernel holds: the virtual servers that every tutorial shows, and their addresses')
  const servers = await look(tour, 'ipvsadm -ln')
  await look(tour, 'ip -br address show kube-ipvs0')
  good(
    `${servers.match(/^TCP /gm)?.length ?? 0} virtual servers: each address of each Service, and node ports at each address of the node`,
  )
}
