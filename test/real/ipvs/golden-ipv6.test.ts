// Every scenario that was recorded in IPVS mode, IPv6.
import { defineGoldenTests } from '../../support/ipvs-golden.ts'

defineGoldenTests('IPv6')
