// Every case of test/cases with real packets: iptables mode, nf_tables backend.
import { definePacketTests } from '../support/flows/suite.ts'

definePacketTests({ mode: 'iptables', arguments: ['--iptables-backend', 'nft'] })
