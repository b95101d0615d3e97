// The kernel parameters that are not as the cluster and the configuration want them, for plan and verify.
import { release } from 'node:os'
import { createSysctl } from '../kernel/sysctl.ts'
import type { Inspection } from '../sync/inspect.ts'
import { type ParameterState, wrongParameters } from '../sync/wanted-parameters.ts'
import type { ClusterReading } from './read-cluster.ts'

/** @param surveys of the mode that would run. */
export function readParameters(reading: ClusterReading, surveys: readonly Inspection[]): Promise<readonly ParameterState[]> {
  const { config, modeName: mode } = reading
  const { traffic, ipvs, sysctlRoot } = config
  const decisions = surveys.find(({ family }) => family === 'IPv4')?.decisions ?? new Map()
  return wrongParameters({ mode, traffic, ipvs, decisions, sysctl: createSysctl(sysctlRoot), kernelRelease: release() })
}
