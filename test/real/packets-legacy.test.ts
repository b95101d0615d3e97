// Every case of test/cases with real packets: iptables mode, legacy backend.
import { definePacketTests } from '../support/flows/suite.ts'

definePacketTests({ mode: 'iptables', arguments: ['--iptables-backend', 'legacy'] })
