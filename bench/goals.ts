// What we hold ourselves to, and what kube-proxy takes for the same. Data.
import type { Figure } from './figures.ts'

export interface Goal {
  /** As in Figure; only the part of `what` that stays the same with every number of changes. */
  readonly figure: Pick<Figure, 'part' | 'services' | 'endpoints' | 'backend'> & { readonly what: string }
  readonly says: string
  readonly of: 'p50' | 'p99'
  /** `times the floor`, or in the figure's unit. */
  readonly limit: { readonly timesFloor: number } | { readonly value: number }
  /** Measured on kube-proxy 1.36.2 on the same kind of machine; nothing here measures it again. */
  readonly kubeProxy?: string
}

const at = (services: number, endpoints = 5, backend = 'nft') => ({ services, endpoints, backend }) as const
const large = at(10_000)
const replaced = 'an endpoint is replaced'

export const goals: readonly Goal[] = [
  {
    figure: { part: 'cold', what: 'first sync', ...large },
    says: 'first sync of a fresh node, nf_tables',
    of: 'p50',
    limit: { timesFloor: 1.5 },
    kubeProxy: '162 s',
  },
  {
    figure: { part: 'cold', what: 'first sync', ...at(10_000, 5, 'legacy') },
    says: 'first sync of a fresh node, legacy',
    of: 'p50',
    limit: { timesFloor: 2 },
  },
  {
    figure: { part: 'change', what: replaced, ...large },
    says: 'one endpoint replaced',
    of: 'p50',
    limit: { timesFloor: 1.3 },
    kubeProxy: '837 ms',
  },
  {
    figure: { part: 'change', what: replaced, ...large },
    says: 'one endpoint replaced',
    of: 'p99',
    limit: { timesFloor: 2 },
    kubeProxy: '2,330 ms',
  },
  { figure: { part: 'change', what: replaced, ...at(5000) }, says: 'one endpoint replaced', of: 'p50', limit: { value: 130 } },
  { figure: { part: 'change', what: replaced, ...at(1000) }, says: 'one endpoint replaced', of: 'p50', limit: { value: 40 } },
  {
    figure: { part: 'churn', what: 'an endpoint is replaced while 50 others change a second', ...large },
    says: 'one endpoint replaced while 50 others change a second',
    of: 'p99',
    limit: { timesFloor: 4 },
  },
  {
    figure: { part: 'change', what: 'a Service is added', ...large },
    says: 'a Service added',
    of: 'p99',
    limit: { timesFloor: 2.5 },
  },
  {
    figure: { part: 'change', what: 'a Service is removed', ...large },
    says: 'a Service removed',
    of: 'p99',
    limit: { timesFloor: 2.5 },
  },
  {
    figure: { part: 'restart', what: 'process started until ready', ...large },
    says: 'restart over an unchanged kernel until ready',
    of: 'p50',
    limit: { value: 6000 },
  },
  {
    figure: { part: 'restart', what: 'lines written', ...large },
    says: 'lines written at that restart',
    of: 'p50',
    limit: { value: 0 },
  },
  {
    figure: { part: 'memory', what: 'resident', ...large },
    says: 'resident memory',
    of: 'p50',
    limit: { value: 200 },
    kubeProxy: '245 to 330 MB',
  },
  { figure: { part: 'memory', what: 'resident', ...at(10) }, says: 'resident memory, idle', of: 'p50', limit: { value: 75 } },
  { figure: { part: 'memory', what: 'resident', ...at(1000, 250) }, says: 'resident memory', of: 'p50', limit: { value: 400 } },
  {
    figure: { part: 'dataplane', what: 'connect to a Service of 5 endpoints', ...large },
    says: 'a connection to one Service, beside the same through 10 Services',
    of: 'p50',
    limit: { timesFloor: 1.5 },
  },
  {
    figure: { part: 'dataplane', what: 'connect to a Service', ...large },
    says: 'a connection to another Service each time, beside the same through 10 Services',
    of: 'p50',
    limit: { timesFloor: 1.5 },
  },
  {
    figure: { part: 'cpu', what: 'of a core, the daemon itself, at one change a second', ...large },
    says: "the daemon's own CPU time at one change a second",
    of: 'p50',
    limit: { value: 2 },
  },
]
