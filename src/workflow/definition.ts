/**
 * What a workflow is to the runtime, whichever way it was written: a machine (the flow) that says which stages run and
 * when, and for each stage the function and its options. Types are erased here; `builder.ts` has the typed surface.
 * Everything is resolved: defaults are filled in, durations are milliseconds, names are checked.
 */
import type { AnyStateMachine } from 'xstate'
import type { ZodType } from 'zod'
import type { StageContext } from './stage-context.ts'
import type { WorkflowName } from './workflow-name.ts'

/** What the pure, synchronous functions of a definition are given. `results` holds the ancestors, or all in `output`. */
export interface Facts {
  readonly input: unknown
  readonly results: Readonly<Record<string, unknown>>
}

export interface FallbackFacts extends Facts {
  readonly error: Error
  readonly item?: unknown
  readonly signal: AbortSignal
}

export interface CompensationFacts extends Facts {
  /** What the stage had returned. */
  readonly result: unknown
  readonly item?: unknown
  readonly idempotencyKey: string
  readonly signal: AbortSignal
}

export interface StageDefinition {
  readonly name: string
  readonly kind: 'stage' | 'map'
  /** Direct needs. Empty for the stages of a machine of one's own. */
  readonly needs: readonly string[]
  /** All stages before it through `needs`, in the order of definition. */
  readonly ancestors: readonly string[]
  readonly run: (context: StageContext) => unknown
  readonly when?: ((facts: Facts) => boolean) | undefined
  readonly task?: string | undefined
  /** The name of a profile, or a profile made by `defineProfile`. */
  readonly profile?: string | object | undefined
  /** Absent: the profile's. */
  readonly timeoutMs?: number | undefined
  readonly warnAfterMs?: number | undefined
  readonly preflight: boolean
  readonly optional: boolean
  readonly fallback?: ((facts: FallbackFacts) => unknown) | undefined
  readonly remedies: readonly string[]
  readonly compensate?: ((facts: CompensationFacts) => unknown) | undefined
  readonly restart: 'transient' | 'temporary'
  /** Checks and types the result. */
  readonly output?: ZodType | undefined
  /** Checks the input of a stage of a machine of one's own. */
  readonly input?: ZodType | undefined
  readonly description?: string | undefined
  readonly map?: MapDefinition | undefined
}

export interface MapDefinition {
  readonly over: (facts: Facts) => unknown
  readonly key: (item: unknown, index: number) => unknown
  /** At most so many items live; 1 to 100. */
  readonly concurrency: number
}

export interface WorkflowDefinition {
  readonly name: string
  readonly version: string
  /** Names the flow: a snapshot of one definition fits another of the same version and hash. */
  readonly hash: string
  readonly description?: string | undefined
  /** `built`: compiled from stages. `machine`: an XState machine of the user's own. */
  readonly origin: 'built' | 'machine'
  /**
   * Compiled once. Of a built one: every stage is invoked as `{ src: 'stage' | 'map', id: <stage>, input: { stage } }`,
   * it ends in its final state `(done)`, or in `(failed)` with `{ stage }` as its output.
   */
  readonly machine: AnyStateMachine
  readonly stages: ReadonlyMap<string, StageDefinition>
  readonly input?: ZodType | undefined
  readonly signals: Readonly<Record<string, ZodType>>
  readonly task?: string | undefined
  readonly profile?: string | object | undefined
  /** The run's output from all results; absent: the result of the last stage, or the machine's own output. */
  readonly output?: ((facts: Facts) => unknown) | undefined
  /** Turns a snapshot of an older definition into one of this. */
  readonly migrate?: ((snapshot: unknown, from: { version: string; hash: string }) => unknown) | undefined
}

/** Marks an object that is a workflow, across copies of this package. */
export const workflowBrand: unique symbol = Symbol.for('holdfast.workflow') as never

/** Anything that `createRuntime` and `start` take as a workflow: a builder, or what `workflowFromMachine` returned. */
export interface AnyWorkflow extends WorkflowName {
  /** The definition, compiled on first call and then kept. */
  [workflowBrand](): WorkflowDefinition
}

const workflowSource: unique symbol = Symbol.for('holdfast.workflow.source') as never

/** The same workflow, which remembers the file that exports it: a recovery finds it there. */
export function withSource(workflow: AnyWorkflow, file: string): AnyWorkflow {
  return Object.create(workflow, { [workflowSource]: { value: file } })
}

/** The file that exports the workflow, where that is known. */
export const sourceOf = (workflow: AnyWorkflow): string | undefined =>
  (workflow as { [workflowSource]?: string })[workflowSource]

export function isWorkflow(value: unknown): value is AnyWorkflow {
  return value !== null && typeof value === 'object' && workflowBrand in value
}

export const definitionOf = (workflow: AnyWorkflow): WorkflowDefinition => workflow[workflowBrand]()
