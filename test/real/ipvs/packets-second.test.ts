// Every other case of test/cases with real packets: IPVS mode, the second half.
import { definePacketTests } from '../../support/flows/suite.ts'

definePacketTests({ mode: 'ipvs', arguments: [], half: 'second', sctp: true })
