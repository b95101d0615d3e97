// The agent's DaemonSet as typed values: its containers with the command line, mounts and privileges that kubelet would give them.
import assert from 'node:assert/strict'
import type { V1Container, V1DaemonSet, V1PodSpec, V1Volume, V1VolumeMount } from '@kubernetes/client-node'
import { parseFlags } from '../../src/config/flag-parser.ts'
import type { FlagValues } from '../../src/config/flags.ts'
import { buildOne } from './kustomize.ts'
import { validate } from './openapi.ts'

export interface Mounted {
  readonly mount: V1VolumeMount
  readonly volume: V1Volume
}

export async function daemonSet(folder = 'base'): Promise<V1DaemonSet> {
  const object = await buildOne(folder, 'DaemonSet', 'switchyard')
  assert.deepEqual(validate(object), [])
  // Validated against this very type.
  return object as unknown as V1DaemonSet
}

export async function podSpec(folder = 'base'): Promise<V1PodSpec> {
  const { spec } = await daemonSet(folder)
  return present(spec?.template.spec, 'the pod')
}

export function container({ containers, initContainers = [] }: V1PodSpec, name: string): V1Container {
  return present(
    [...initContainers, ...containers].find(candidate => candidate.name === name),
    `container ${name}`,
  )
}

/** The arguments as the container gets them: `$(NODE_NAME)` is the field of the pod that `env` says. */
export function argumentsOf({ args = [], env = [] }: V1Container, nodeName: string): readonly string[] {
  return args.map(argument =>
    argument.replaceAll(/\$\((\w+)\)/g, (reference, name) => {
      const field = env.find(variable => variable.name === name)?.valueFrom?.fieldRef?.fieldPath
      return field === 'spec.nodeName' ? nodeName : reference
    }),
  )
}

/** Asserts that the arguments are flags of the agent. */
export function flagsOf(some: V1Container, nodeName = 'node1'): FlagValues {
  const { values, errors } = parseFlags(argumentsOf(some, nodeName))
  assert.deepEqual(errors, [])
  return values
}

/** The mounts with what stands behind each. */
export function mountsOf({ volumes = [] }: V1PodSpec, { volumeMounts = [] }: V1Container): readonly Mounted[] {
  return volumeMounts.map(mount => ({
    mount,
    volume: present(
      volumes.find(({ name }) => name === mount.name),
      `volume ${mount.name}`,
    ),
  }))
}

export function present<T>(value: T | undefined, what: string): T {
  assert.ok(value !== undefined, `${what} is missing`)
  return value
}
