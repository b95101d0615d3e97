// Every other case of test/cases with real packets: IPVS mode, the first half.
import { definePacketTests } from '../../support/flows/suite.ts'

definePacketTests({ mode: 'ipvs', arguments: [], half: 'first', sctp: true })
