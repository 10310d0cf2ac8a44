/**
 * The runs of a runtime, as its other parts see them: started here, or taken up from the store. A run that finds no
 * place waits as `pending`; one that only waits leaves memory, and is taken up again when something moves it. What each
 * of these is, its own file here says; they share the runs that are in memory.
 */
import type { NewRun, RunRow, RunWrite, Store, StoredRun } from '../../store/store.ts'
import type { Ids } from '../../time/ids.ts'
import type { AnyWorkflow } from '../../workflow/definition.ts'
import type { RecoveryReport, RunResult } from '../api.ts'
import type { KeepAlive } from '../commits/keep-alive.ts'
import type { Registry } from '../registry.ts'
import type { RunServices } from '../run/live.ts'
import type { ActorRun } from '../run/live-run.ts'
import type { ResolvedStart } from '../runtime-options.ts'
import { Adoption } from './adoption.ts'
import { Changes, type PlanChange, type RunFacts } from './changes.ts'
import { Ends } from './ends.ts'
import { cancelChild } from './orphans.ts'
import { Passivation } from './passivation.ts'
import { recoverRuns } from './recovery.ts'
import { asleep, RunsInMemory } from './runs-in-memory.ts'
import { Starts } from './starts.ts'

export interface RunsOptions {
  readonly store: Store
  readonly registry: Registry
  readonly services: RunServices
  readonly ids: Ids
  /** Held while a run is in memory. */
  readonly keepAlive: KeepAlive
  /** Runs that may work at once. */
  readonly places: number
}

/** Sleeping runs that a tree shows. */
const mostSleepersShown = 1000

export class Runs {
  readonly #options: RunsOptions
  readonly #memory: RunsInMemory
  readonly #adoption: Adoption
  readonly #ends: Ends
  readonly #passivation: Passivation
  readonly #starts: Starts
  readonly #changes: Changes

  constructor(options: RunsOptions) {
    this.#options = options
    const memory = new RunsInMemory(options)
    const adoption = new Adoption({ ...options, memory })
    const ends = new Ends({ ...options, memory, adoption })
    const passivation = new Passivation({ ...options, memory, adoption, ends })
    this.#memory = memory
    this.#adoption = adoption
    this.#ends = ends
    this.#passivation = passivation
    this.#starts = new Starts({ ...options, memory, adoption, passivation })
    this.#changes = new Changes({ ...options, memory, adoption })
  }

  find(runId: string): ActorRun | undefined {
    return this.#memory.find(runId)
  }

  all(): Iterable<ActorRun> {
    return this.#memory.all()
  }

  /** Starts the run, or finds the one of that id; the start is durable when this resolves. */
  start(workflow: AnyWorkflow, input: unknown, start: ResolvedStart, parent?: NewRun['parent']): Promise<string> {
    return this.#starts.start(workflow, input, start, parent)
  }

  /** An id that no run has. */
  freshId(workflow: string): Promise<string> {
    return this.#starts.freshId(workflow)
  }

  /**
   * Takes up an unfinished run that is in the store and not in memory. No function of it runs before its next commit, so
   * what the caller asks of it at once, such as a pause, comes first.
   */
  adopt(runId: string): Promise<ActorRun> {
    return this.#adoption.adopt(runId)
  }

  recover(): Promise<RecoveryReport> {
    return recoverRuns({
      ...this.#options,
      memory: this.#memory,
      adoption: this.#adoption,
      passivation: this.#passivation,
    })
  }

  /**
   * Changes a run by one write while it is not in memory, and takes it up where it is unfinished then. Changes of one
   * run follow one another; `plan` is given the run as it is stored and may refuse. `hold`: it is not taken up.
   */
  change(runId: string, types: readonly string[], hold: boolean, plan: PlanChange): Promise<void> {
    return this.#changes.change(runId, types, hold, plan)
  }

  /** Writes a run that is not in memory, and takes it up where it is unfinished, unless it is to be held. */
  add(write: RunWrite, hold = false): Promise<void> {
    return this.#changes.add(write, hold)
  }

  /** The definition that the run goes on with, and the children that it has started. */
  factsOf(stored: StoredRun): Promise<RunFacts> {
    return this.#changes.factsOf(stored)
  }

  /** Cancels a child whose parent has ended, in memory or not; one that has ended itself is left alone. */
  cancelChild(childId: string, parentId: string): Promise<void> {
    const { store, services } = this.#options
    const parts = { store, services, memory: this.#memory, adopt: (runId: string) => this.#adoption.adopt(runId) }
    return cancelChild(parts, childId, parentId)
  }

  /** The next end of a run. */
  nextEnd(runId: string): Promise<RunResult> {
    return this.#ends.next(runId)
  }

  /** The end of the run is durable: it leaves memory. */
  ended(runId: string): void {
    const memory = this.#memory
    const run = memory.find(runId)
    memory.drop(runId)
    if (run) this.#passivation.forget(run)
    memory.holdProcess()
    this.#ends.tell(runId, run?.result as RunResult)
    const parent = run?.spec.parent?.runId
    if (parent !== undefined && this.#passivation.wakesSleepers && !memory.has(parent))
      void this.#passivation.wake([parent])
    memory.admit()
  }

  /** What the run did is durable: it may have begun to wait, or found out that it need not. */
  written(run: ActorRun): void {
    this.#passivation.note(run)
  }

  /** Runs that are not in memory as they only wait, newest first: as many as a tree can show. */
  async sleeping(): Promise<readonly RunRow[]> {
    const { store } = this.#options
    const ids = await store.unfinished({ status: asleep, limit: mostSleepersShown })
    const stored = await store.load(
      ids.filter(id => !this.#memory.has(id)),
      [],
    )
    return stored.map(({ run }) => run)
  }

  /** A run that was held before it had begun waits for a place again. */
  readmit(runId: string): void {
    const run = this.#memory.find(runId)
    if (run) this.#memory.launchOrEnqueue(run)
  }

  /** Gives free places to those who wait. */
  admit(): void {
    this.#memory.admit()
  }

  /** Lets go of every run; who waits for a result hears `reason`. */
  close(reason: unknown): void {
    this.#memory.shut(reason)
    this.#passivation.close()
    this.#memory.clear(reason)
    this.#ends.close(reason)
  }

  /** @throws why the runtime was closed */
  ensureOpen(): void {
    this.#memory.ensureOpen()
  }
}
