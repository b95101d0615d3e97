// A client that connects all the time while Services and endpoints change at random around its own sees no failed connection.
import { describe, test } from 'node:test'
import { checkChurn } from '../support/flows/churn.ts'

describe('no connection fails while the cluster changes', { concurrency: 2 }, () => {
  for (const backend of ['nft', 'legacy']) {
    test(`${backend} backend`, t => checkChurn(t, ['--iptables-backend', backend]))
  }
})
