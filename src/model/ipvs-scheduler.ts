// The schedulers of the kernel's IPVS (net/netfilter/ipvs); each is a module of its own, ip_vs_rr for rr. Whether this kernel has one is found
// out on the host (src/kernel/ipvs-probe.ts).

export const ipvsSchedulers = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'sh',
  'dh',
  'sed',
  'nq',
  'fo',
  'ovf',
  'mh',
  'twos',
] as const

export type IpvsScheduler = (typeof ipvsSchedulers)[number]
