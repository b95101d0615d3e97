// Which remarks of Services stand, from the moments of passes: a remark comes with every pass that touches its Service, but is news only once.
// A Service that was touched without one has none any more, so the same words are news again later.
import type { IpFamily } from '../model/address.ts'
import type { Remark, Scope } from '../modes/mode.ts'

type Remarks = Map<string, Remark>

export class StandingRemarks {
  readonly #standing = new Map<IpFamily, Remarks>()
  /** Of the pass that is under way. */
  readonly #ofPass = new Map<IpFamily, Remarks>()

  passStarted({ family }: { readonly family: IpFamily }): void {
    this.#ofPass.set(family, new Map())
  }

  /** Whether it is news: in words that stand for no family yet. */
  remarked({ family, service, reason, message }: { readonly family: IpFamily } & Remark): boolean {
    const remark = { service, reason, message }
    const key = keyOf(remark)
    const isNews = ![...this.#standing.values()].some(remarks => remarks.get(key)?.message === message)
    of(this.#standing, family).set(key, remark)
    of(this.#ofPass, family).set(key, remark)
    return isNews
  }

  programmed({ family, scope }: { readonly family: IpFamily; readonly scope: Scope }): void {
    const standing = of(this.#standing, family)
    const said = of(this.#ofPass, family)
    for (const [key, { service }] of standing) {
      if ((scope === 'everything' || scope.has(service)) && !said.has(key)) standing.delete(key)
    }
  }

  ofFamily(family: IpFamily): readonly Remark[] {
    return [...of(this.#standing, family).values()]
  }
}

function of(all: Map<IpFamily, Remarks>, family: IpFamily): Remarks {
  const known = all.get(family) ?? new Map()
  all.set(family, known)
  return known
}

function keyOf({ service, reason }: Remark): string {
  return `${service} ${reason}`
}
