// The verdict and its reasons, in sentences: the first says what happens, the others why.

import { type Address, isLoopback } from '../model/address.ts'
import { isProxied } from '../model/service-port.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import type { TraceStep } from '../modes/trace.ts'
import { isOwn, portsAt } from './addresses.ts'
import { bareSentence, isBare } from './bare.ts'
import { podAt } from './known-pods.ts'
import type { Traced } from './trace.ts'
import { isFenced } from './trace-policy.ts'
import { decidedBy } from './trace-steps.ts'

export function summaryOf(traced: Traced): readonly string[] {
  const { shares, trace } = traced
  return [
    ...(shares.endpoints > 0 ? goesTo(traced) : []),
    ...(shares.refused > 0 ? [said(shares.refused, `refused: ${whyRefused(traced)}`)] : []),
    ...(shares.dropped > 0 ? [said(shares.dropped, `dropped without an answer: ${whyDropped(traced)}`)] : []),
    ...(shares.untouched > 0 ? untouched(traced) : []),
    ...(trace.choice === undefined ? [] : [`The endpoint is chosen ${trace.choice}.`]),
    ...affinity(traced),
    ...ofAnotherNode(traced),
    ...difference(traced),
  ]
}

/** A sentence about a part of the connections, or about all of them. */
function said(share: number, text: string): string {
  const isAll = share > 0.999_999
  return isAll ? `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.` : `${percent(share)} of connections like this: ${text}.`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1).replace(/\.0$/, '')} %`
}

function goesTo({ candidates: all, at, shares }: Traced): readonly string[] {
  const candidates = all.filter(({ wanted }) => wanted !== false)
  const astray = all.filter(({ wanted }) => wanted === false)
  const straying = astray.reduce((sum, { probability }) => sum + probability, 0)
  const sentences = goesWhereWanted(candidates, { at, share: shares.endpoints - straying })
  const [stray] = astray
  if (stray === undefined) return sentences
  const some = astray.slice(0, 3).map(({ endpoint, note }) => `${endpoint}, ${whichIs(note)}`)
  const more = astray.length > some.length ? `; and ${astray.length - some.length} more` : ''
  return [...sentences, said(straying, `leads to ${some.join('; ')}${more}`)]
}

function whichIs(note: string | null | undefined): string {
  return note?.startsWith('no endpoint') === true ? `which is ${note}` : `an endpoint that is to get no connections (${note})`
}

function goesWhereWanted(
  candidates: Traced['candidates'],
  { at, share }: Pick<Traced, 'at'> & { readonly share: number },
): readonly string[] {
  const [first, ...others] = candidates
  if (first === undefined) return []
  const service = at === undefined ? '' : ` of ${at.servicePort.name}`
  const which = at === undefined ? 'by rules of others' : `the only endpoint${service} for it`
  if (others.length === 0) return [said(share, `goes to ${first.endpoint}, ${which}`)]
  const equal = candidates.every(({ probability }) => Math.abs(probability - first.probability) < 1e-6)
  const chances = equal ? 'each with the same chance' : 'with different chances'
  return [said(share, `goes to one of ${candidates.length} endpoints${service}, ${chances}`)]
}

function whyRefused(traced: Traced): string {
  const { at, inspection, to, policy } = traced
  if (at === undefined) return `${whyNobody(traced)}; ${ruleWords(traced)}`
  const { decision } = at
  const fate = at.kind === 'cluster IP' ? decision.internal : decision.external
  if (fate === 'reject') return `${at.servicePort.name} has ${noEndpoints(traced)}`
  if (fate === 'drop' && inspection.mode === 'ipvs' && policy?.policy === 'Local')
    return `${policy.field} is Local, and ${noneHere(traced)} (ipvs mode refuses where iptables mode drops)`
  return `the kernel refuses ${to.address}:${to.port}, although ${at.servicePort.name} has endpoints; ${ruleWords(traced)}`
}

function noEndpoints({ endpoints }: Traced): string {
  if (endpoints.length === 0) return 'no endpoint at all: no pod matches its selector, or none has an address yet'
  return endpoints.length === 1 ? 'one endpoint, and it is not ready' : `${endpoints.length} endpoints, and none is ready`
}

function noneHere({ endpoints, inspection }: Traced): string {
  const { name } = inspection.node
  return endpoints.length === 1 ? `its one endpoint is not on ${name}` : `none of its ${endpoints.length} endpoints is on ${name}`
}

function whyDropped(traced: Traced): string {
  const { at, endpoints, from, policy } = traced
  const stop = parameterWords(traced)
  if (stop !== undefined) return stop
  if (at === undefined) return ruleWords(traced)
  if (isFenced(at, from.address)) {
    const advice = from.given === 'outside' ? '; write the address of a client instead of `outside` where it matters' : ''
    return `${from.address} is in none of loadBalancerSourceRanges (${at.servicePort.loadBalancerSourceRanges.join(', ')})${advice}`
  }
  const here = endpoints.filter(({ local }) => local)
  if (policy?.policy === 'Local' && at.decision.local.length === 0) {
    const which = here.length === 0 ? noneHere(traced) : 'none of those on this node is ready'
    return `${policy.field} is Local, and ${which}`
  }
  return `the kernel drops it, although ${at.servicePort.name} has endpoints; ${ruleWords(traced)}`
}

/** Undefined where no parameter stops it. */
function parameterWords({ trace }: Traced): string | undefined {
  for (const { path } of trace.branches) {
    const [, name] = /^kernel parameter (.*)$/.exec(path.at(-1)?.where ?? '') ?? []
    if (name === routeLocalnet) return `${name} is 0, so packets from 127.0.0.0/8 have no way out of this node`
    if (name !== undefined) return `${name} is 0, so this node does not send on packets of pods and others, nor their answers`
  }
  return undefined
}

function ruleWords({ trace }: Traced): string {
  const step = decidedBy(trace.branches.filter(({ verdict }) => verdict !== 'endpoint'))
  if (step === null) return 'no rule says why'
  // A hash leads to real servers without weight too.
  if (step.where.startsWith('virtual server')) return `${step.where} (${step.what}) leads to no real server with weight`
  return `${step.where} has ${step.what}`
}

function untouched(traced: Traced): readonly string[] {
  const { at, shares, inspection, to } = traced
  const own = isOwn(inspection, to.address as Address)
  const then = own
    ? `It is left to this node's own processes: one that listens on ${to.port}/${to.protocol} answers, else it is refused.`
    : "No Service rule takes it: it goes on by this node's routes, as any packet does."
  const why = at === undefined ? whyNobody(traced) : whyNotTaken(traced)
  const what = shares.untouched > 0.999_999 && at === undefined ? 'not a Service' : 'not translated'
  return [said(shares.untouched, `${what}: ${why}`), then]
}

/** The address and port are a Service's, and yet nothing takes the packet. */
function whyNotTaken({ at, from, to, inspection, trace }: Traced): string {
  if (at === undefined) return ''
  const { name, nodePort } = at.servicePort
  const { settings, mode } = inspection
  const loopback = isLoopback(to.address as Address)
  if (at.kind === 'node port') {
    if (loopback && mode === 'ipvs') return `node port ${nodePort} is ${name}'s, but ipvs mode serves none on loopback addresses`
    if (loopback && to.family === 'IPv6') return `node port ${nodePort} is ${name}'s, but there are none on ::1`
    if (loopback && !settings.localhostNodePorts)
      return `node port ${nodePort} is ${name}'s, but iptables.localhostNodePorts is off`
    if (settings.nodePortAddresses !== 'all') {
      const chosen =
        settings.nodePortAddresses === 'primary' ? "the node's primary address" : settings.nodePortAddresses.join(', ')
      return `node port ${nodePort} is ${name}'s, but nodePortAddresses lets it answer only at ${chosen}`
    }
  }
  const leaves = from.kind === 'node' && at.kind !== 'node port' && at.kind !== 'cluster IP' && at.decision.external === 'reject'
  if (leaves)
    return `${name} has no endpoint, and the node's own connections to its external addresses are not refused but leave the node`
  const whose = `${to.address}:${to.port}/${to.protocol} is ${name}'s`
  const past = leadingPast(trace)
  return past === undefined
    ? `${whose}, but the kernel has no rule that takes it`
    : `${whose}, but ${past.where} has ${past.what}, which leads it past the rules that follow`
}

/** A rule in whose chain the translation might have come later; ours return only behind it. */
function leadingPast({ branches }: Traced['trace']): TraceStep | undefined {
  const steps = branches.filter(({ verdict }) => verdict === 'untouched').flatMap(({ path }) => path)
  return steps.findLast(
    ({ where, what }) =>
      where.startsWith('nat chain ') && !where.endsWith('POSTROUTING') && / -j (RETURN|ACCEPT)$/.test(` ${what}`),
  )
}

/** Nobody's address, or an address without this port. */
function whyNobody(traced: Traced): string {
  const { to, inspection, cluster } = traced
  const address = to.address as Address
  const there = portsAt(address, inspection)
  const isNode = isOwn(inspection, address)
  const services = there.filter(({ kind }) => kind !== 'node port')
  if (services.length > 0) {
    const ports = services.map(({ port, protocol }) => `${port}/${protocol}`)
    const names = [...new Set(services.map(({ servicePort }) => servicePort.service))].join(', ')
    return `${address} is ${names}'s, which has no port ${to.port}/${to.protocol} there, only ${ports.join(', ')}`
  }
  if (isNode) {
    const same = there.find(({ port }) => port === to.port)
    const checked = [...inspection.decisions.values()]
      .flat()
      .find(({ servicePort }) => servicePort.healthCheckNodePort === to.port)
    if (checked !== undefined && to.protocol === 'TCP')
      return `port ${to.port} is where the health of ${checked.servicePort.service} is asked for, and the proxy answers there itself`
    const other = same === undefined ? '' : `; ${same.port}/${same.protocol} is ${same.servicePort.name}'s`
    return `no Service has node port ${to.port}/${to.protocol}${other}`
  }
  const unserved = [...cluster.services()].find(
    each => !isProxied(each) && [...each.clusterIPs, ...each.externalIPs, ...each.loadBalancerAddresses].includes(address),
  )
  if (unserved !== undefined)
    return `${address} is ${unserved.namespace}/${unserved.name}'s, which is not ours to serve (headless, or another proxy's)`
  const pod = podAt(address, cluster)
  if (pod === undefined) return `no Service has the address ${address}`
  const name = pod.name === undefined ? 'an endpoint' : `pod ${pod.namespace}/${pod.name}`
  return `${address} is ${name}'s own address, for which no proxy is needed`
}

/** There its connections are translated; here they come only as something else, or by a node port of this node. */
function ofAnotherNode({ elsewhere, from, inspection }: Traced): readonly string[] {
  if (elsewhere === undefined) return []
  const advice = `ask there for what it really meets; this is what the rules of ${inspection.node.name} would do`
  return [
    `${from.address} is a pod on ${elsewhere}, and its connections to Services meet the rules of that node first: ${advice}.`,
  ]
}

function affinity({ at, shares }: Traced): readonly string[] {
  const seconds = at?.servicePort.affinityTimeoutSeconds
  if (seconds === undefined || shares.endpoints === 0) return []
  return [
    `Session affinity: a client that was here within the last ${seconds} s is sent where it was; the chances are those of a new one.`,
  ]
}

/** The verdict is what the kernel does; whether that is as it should be, is said as well. */
function difference({ drifts, inspection }: Traced): readonly string[] {
  if (drifts.length === 0) return []
  if (isBare(inspection.drifts)) return [bareSentence([inspection.family])]
  const what = drifts.length === 1 ? 'one difference' : `${drifts.length} differences`
  return [`The kernel is not as it should be: ${what}, see below.`]
}
