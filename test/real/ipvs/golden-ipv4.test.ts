// Every scenario that was recorded in IPVS mode, IPv4.
import { defineGoldenTests } from '../../support/ipvs-golden.ts'

defineGoldenTests('IPv4')
