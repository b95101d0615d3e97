// One Service of a test in a lab, in short words: `b (a)` are its pods, those in brackets not ready.
import { type Manifest, type WebOptions, web } from './daemon/objects.ts'
import type { IpvsLab, Place } from './ipvs-lab.ts'

export interface LabService {
  /** Its cluster IP and port. */
  readonly place: Place
  /** The virtual server of that, as ipvsadm names it. */
  readonly server: string
  put(pods: string): Promise<void>
  /** Waits until that virtual server has these weights, by pod; undefined: until there is no such virtual server. */
  becomes(weights: PodWeights | undefined): Promise<void>
  remove(): Promise<void>
}

export type PodWeights = Readonly<Record<string, number>>

/** Beside the endpoints, which follow from the pods. */
export type ServiceOptions = Partial<Omit<WebOptions, 'name' | 'number' | 'endpoints' | 'notReady'>>

/** Gives it programmed, all its pods ready. Its number decides its address: 10.96.0.NUMBER. */
export async function startService(
  stage: IpvsLab,
  { number, pods }: { readonly number: number; readonly pods: string },
  options: ServiceOptions = {},
): Promise<LabService> {
  const place = { address: `10.96.0.${number}`, port: 80 }
  const server = `-t ${place.address}:80`
  const file = `web-${number}.yaml`
  const put = async (now: string): Promise<void> => {
    const { ready, waiting } = podsIn(now)
    const addresses = (of: readonly string[]): readonly string[] => of.map(pod => stage.address(pod))
    const endpoints = { endpoints: addresses(ready), notReady: addresses(waiting) }
    await stage.switchyard.put(file, web({ name: `web-${number}`, number, ...endpoints, ...options }))
  }
  const becomes = (weights: PodWeights | undefined): Promise<void> =>
    stage.eventually(() => stage.kernel.weights(server), weights && stage.realServers(weights), server)
  await put(pods)
  await becomes(Object.fromEntries(podsIn(pods).ready.map(pod => [pod, 1])))
  // Addresses come last, those of a Service all at once.
  const isReachable = async (): Promise<boolean> => (await stage.kernel.addresses()).includes(place.address)
  await stage.eventually(isReachable, true, `${place.address} on kube-ipvs0`)
  return { place, server, put, becomes, remove: () => stage.switchyard.remove(file) }
}

function podsIn(text: string): { readonly ready: readonly string[]; readonly waiting: readonly string[] } {
  const words = text.split(' ')
  const waiting = words.filter(word => word.startsWith('(')).map(word => word.slice(1, -1))
  return { ready: words.filter(word => !word.startsWith('(')), waiting }
}

/** For `spec`: a node port, and all that a load balancer leads to. */
export function loadBalanced(nodePort: number): Manifest {
  return { type: 'LoadBalancer', ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP', nodePort }] }
}
