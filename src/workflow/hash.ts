/**
 * The name of a definition: the first 16 hex digits of the sha256 of its flow, as JSON with sorted keys. Two definitions
 * with the same hash can go on with each other's snapshots: what a function does, how long a stage may take or which
 * profile it has is not part of it. The same definition has the same hash in every process.
 */
import { createHash } from 'node:crypto'
import type { AnyStateMachine, AnyStateNode } from 'xstate'
import type { StageDefinition } from './definition.ts'
import type { StageDraft } from './stage-list.ts'

const hashDigits = 16

export interface Described {
  readonly name: string
  readonly origin: 'built' | 'machine'
}

/** The hash of a workflow made of stages. */
export function hashOfStages(workflow: Described, stages: readonly StageDraft[]): string {
  return hashOf({ ...describe(workflow), stages: stages.map(describeStage) })
}

/** The hash of a workflow that is a machine of the user's own, with the machines that it invokes by name. */
export function hashOfMachine(
  workflow: Described,
  machines: ReadonlyMap<string, AnyStateMachine>,
  stages: ReadonlyMap<string, StageDefinition>,
): string {
  return hashOf({
    ...describe(workflow),
    machines: [...machines].map(([path, machine]) => ({
      path,
      definition: machine.definition,
      // `definition` leaves these out
      always: alwaysOf(machine.root as AnyStateNode),
    })),
    stages: [...stages].map(([source, stage]) => ({ source, ...describeStage(stage) })),
  })
}

function describe(workflow: Described): object {
  const { name, origin } = workflow
  return { name, origin }
}

/** What a snapshot rests on. A new timeout or profile is no other definition: a run goes on with it. */
function describeStage({ name, kind, needs }: StageDraft | StageDefinition): object {
  return { name, kind, needs }
}

function alwaysOf(node: AnyStateNode): object[] {
  const inside = Object.values(node.states).flatMap(child => alwaysOf(child as AnyStateNode))
  return node.always ? [{ state: node.id, always: node.always }, ...inside] : inside
}

function hashOf(description: object): string {
  return createHash('sha256').update(canonicalJson(description)).digest('hex').slice(0, hashDigits)
}

/** JSON with sorted keys; a function counts as present. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'function') return '(function)'
    if (typeof part === 'bigint') return String(part)
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
