// Whether the node can send where its rules lead: a traced packet and the node's routes → the trace with what they lack.
import { type Address, parseAddress } from '../model/address.ts'
import type { TraceObject, Unroutable } from './trace-object.ts'
import { outcomeOf } from './trace-outcome.ts'

/** Undefined: it cannot be told. */
export type HasRoute = (address: Address) => Promise<boolean | undefined>

/** A process for each: no more than that. */
const mostAddresses = 8

type Asked = Omit<Unroutable, 'cuts'>

export async function withRoutes(trace: TraceObject, hasRoute: HasRoute): Promise<TraceObject> {
  if (trace.verdict !== 'endpoints') return trace
  const asked = askedOf(trace)
  const endpoints = asked.filter(({ what }) => what === 'endpoint').length
  const missing: Asked[] = []
  await Promise.all(
    asked.map(async each => {
      const address = parseAddress(each.address)
      if (address !== undefined && (await hasRoute(address)) === false) missing.push(each)
    }),
  )
  const isAllOfThem = missing.filter(({ what }) => what === 'endpoint').length === endpoints && trace.shares.endpoints > 0.999_999
  const unroutable = asked
    .filter(each => missing.includes(each))
    .map(each => ({ ...each, cuts: each.what !== 'endpoint' || isAllOfThem ? 'all' : 'some' }) as const)
  if (unroutable.length === 0) return { ...trace, unroutable }
  const found = { ...trace, unroutable }
  return { ...found, outcome: outcomeOf(found), summary: [...trace.summary, ...unroutable.map(sentence)] }
}

/** An example of a client outside stands for all of them: its own route says nothing. */
function askedOf({ from, to, mode, candidates }: TraceObject): readonly Asked[] {
  const places = new Set(candidates.map(({ endpoint }) => endpoint.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')))
  const endpoints = [...places].slice(0, mostAddresses).map(address => ({ address, what: 'endpoint' }) as const)
  if (from.kind === 'node') {
    // The kernel looks for a way to it before rules translate it; ipvs mode has it on a link of its own.
    return mode === 'ipvs' ? endpoints : [{ address: to.address, what: 'destination' }, ...endpoints]
  }
  return from.given === 'outside' ? endpoints : [{ address: from.address, what: 'sender' }, ...endpoints]
}

function sentence({ address, what }: Unroutable): string {
  const because = {
    endpoint: `This node has no route to endpoint ${address}: what is sent there is lost.`,
    sender: `This node has no route back to ${address}: answers are lost.`,
    destination: `This node has no route to ${address} (a default route will do): its processes cannot send there, whatever the rules say.`,
  }
  return because[what]
}
