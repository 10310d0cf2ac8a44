/** Who watches the stages of a simulation, and what takes the place of some of them. */
import type { Random } from '../../time/random.ts'
import type { AnyWorkflow } from '../../workflow/definition.ts'
import type { StageContext, StepContext } from '../../workflow/stage-context.ts'
import type { Told } from './guarantees.ts'
import type { Place } from './place.ts'

/**
 * By stage name: a function that takes the stage's place, or what it returns; `true` of a stage with an `output` schema:
 * data of that schema, by chance.
 */
export type StandIns = Readonly<Record<string, unknown>>

export interface StageWatch {
  readonly random: Random
  readonly standIns: StandIns
  /** Where the code of the simulation runs; with the execution of which stage, if it is that of one. */
  place(execution: StageContext | undefined): Place
  /** False where the process is dead, and nothing begins any more. */
  stepBegins(idempotencyKey: string): boolean
  /** A workflow that is started from within another. */
  childStarts(workflow: AnyWorkflow): void
  /** Returns what is to be called at the end. */
  executionBegins(context: StageContext): () => void
  /** @param text what the function returned, as JSON; null where the stage's schema may make another value of it */
  executionReturned(context: StageContext, text: string | null): void
  /** The function is about to hear what came of something that it asked for. */
  told(context: StageContext, told: Omit<Told, 'runId' | 'stage'>): void
  /** The function is about to be given a child run. */
  childTold(context: StageContext, childId: string): void
  /** Stands around what a stage does, where a recording is replayed. */
  readonly recorded?: RecordedWork | undefined
}

/** What is known of the work of stages, and is given in place of it. */
export interface RecordedWork {
  /** The end of an execution: that of the function, or another. */
  execution(context: StageContext, run: () => Promise<unknown>): Promise<unknown>
  /** What a step gives. */
  step(step: StepContext, run: () => unknown): unknown
  /** The execution waits for its n-th signal of that name. */
  waits(context: StageContext, name: string, place: number): void
}
