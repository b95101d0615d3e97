// The cases with SCTP and real packets: iptables mode, legacy backend, which every kernel of these tests has.
import { definePacketTests } from '../../support/flows/suite.ts'

definePacketTests({ mode: 'iptables', arguments: ['--iptables-backend', 'legacy'], only: ['sctp'], sctp: true })
