/** What users of the operations touch: their options and what they give, as types. */
import type { EncodedError } from '../../errors.ts'
import type { Page, RunStatus } from '../../store/store.ts'
import type { JournalEvent } from '../../telemetry/catalogue.ts'
import type { Budget, Run, RunCost, RunError, Runtime } from '../api.ts'
import type { Diagnostics } from './diagnostics.ts'
import type { ForkPlan } from './fork.ts'

/** Who does something, and why; both are kept in the journal. */
export interface OperatorNote {
  readonly reason?: string | undefined
  /** A person or a program, as it is to be found in the journal. */
  readonly by?: string | undefined
}

/** For a process that does not stay with the run. */
export interface HoldOption {
  /** Leaves the run where it is until it is resumed or recovered. @default false */
  readonly hold?: boolean | undefined
}

export interface StageNote extends OperatorNote, HoldOption {}

export interface RetryOptions extends OperatorNote, HoldOption {
  /** For a run that was out of it, and larger than what is spent; see `resume`. */
  readonly budget?: Budget | undefined
  /** Asks every effect of the stages that run again anew; what they had cost stays booked. @default false */
  readonly fresh?: boolean | undefined
  /** The tier that every later model call of the run asks. */
  readonly tier?: 'cheap' | 'capable' | 'premium' | undefined
}

export interface ForkOptions extends HoldOption {
  /** The stage to begin with, or an item of a map: `name[key]`. */
  readonly from: string
  /** @default the input of the other run */
  readonly input?: unknown
  /** Of the new run. @default generated */
  readonly id?: string | undefined
}

export interface CompleteOptions extends StageNote {
  /** The result, checked by the stage's `output` where it declares one. @default undefined */
  readonly result?: unknown
}

export interface QuarantineListOptions {
  readonly workflow?: string | undefined
  /** 1 to 1000. @default 100 */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export interface QuarantineSummary {
  readonly id: string
  readonly workflow: string
  readonly version: string
  /** Since when, ms since the epoch. */
  readonly quarantinedAt: number
  readonly stage?: string | undefined
  readonly code: string
  readonly message: string
}

/** All that is known of why a run was set aside. */
export interface QuarantineEvidence extends QuarantineSummary {
  readonly status: RunStatus
  readonly error: RunError
  /** The error and what caused it, outermost first, with stacks where they were kept. */
  readonly causes: readonly EncodedError[]
  /** The last snapshot: its sha256 and its size; null where the run ended before its first. */
  readonly snapshot: { readonly sha256: string; readonly bytes: number } | null
  /** The last events of its journal, oldest first. */
  readonly lastEvents: readonly JournalEvent[]
  readonly spend: RunCost
  readonly attempts: number
  readonly restarts: number
  /** Processes that died while its code was running, since it last made progress. */
  readonly crashes: number
}

/** A run that began in the middle of another, with what it took over and what it runs again. */
export interface ForkedRun extends Run {
  readonly plan: ForkPlan
}

/** What the owner of a store can do to runs beyond their life. Everything is durable when its promise resolves. */
export interface RunOperations {
  /**
   * Runs a failed, quarantined or budget-exceeded run again from the stage or item that failed. Results of other stages
   * and recorded successes are kept.
   * @throws RunNotFoundError; HoldfastError `run_open run_not_open run_imported workflow_unknown workflow_changed`
   */
  retry(runId: string, options?: RetryOptions): Promise<Run>
  /**
   * A new run from a stage of another, ended or not; the results of the stages before it are copied.
   * @throws OptionsError for a stage that there is not; RunConflictError where a result is missing, or the id is taken
   */
  fork(runId: string, options: ForkOptions): Promise<ForkedRun>
  /** Decisions about one stage or item, with a reason. On ended runs they reopen the run. @throws OptionsError */
  readonly stage: {
    skip(runId: string, stage: string, options: StageNote & { readonly reason: string }): Promise<Run>
    redo(runId: string, stage: string, options: StageNote & { readonly reason: string }): Promise<Run>
    complete(runId: string, stage: string, options: CompleteOptions & { readonly reason: string }): Promise<Run>
  }
  readonly quarantine: {
    /** Newest start first. */
    list(options?: QuarantineListOptions): Promise<Page<QuarantineSummary>>
    show(runId: string): Promise<QuarantineEvidence>
    /** Like `retry`, for a quarantined run. */
    release(runId: string, options?: RetryOptions): Promise<Run>
    /** Ends the run as cancelled, without compensations. */
    discard(runId: string, options?: OperatorNote): Promise<void>
  }
}

/** What the owner of a store can do with it as a whole. */
export interface StoreOperations {
  /**
   * Writes a copy of the store, as it is now, to a file that does not exist. Nothing else is written meanwhile: beside a
   * busy runtime use a client, or `holdfast backup`.
   * @throws StoreError `store_not_empty store_full store_readonly`; OptionsError for a store that has no file
   */
  backup(file: string): Promise<void>
  /**
   * Reads a run from a bundle: it can be looked at, explained and forked, and never goes on.
   * @throws OptionsError `file_not_found`; ValidationError for what is no bundle; RunConflictError where its id is taken
   */
  import(file: string, options?: { readonly id?: string | undefined }): Promise<Run>
}

/** What can be asked about runs and what happens to them. */
export interface RunQuestions {
  /** How a run stands, as it was last written, and what one might do about it. @throws RunNotFoundError */
  diagnostics(runId: string): Promise<Diagnostics>
  /**
   * The journal events of all runs: from now on, or with `from` those of before too, from that position. Positions rise
   * with each event that is written, from 1; events that were asked for by position carry theirs.
   */
  events(options?: { readonly from?: number | undefined }): AsyncIterable<PositionedEvent>
}

export interface PositionedEvent extends JournalEvent {
  /** Its place among the events of all runs; to go on after it, ask from one more. */
  readonly position?: number | undefined
}

/** A runtime with all that can be asked of it. */
export interface OperatedRuntime extends Omit<Runtime, 'events'>, RunOperations, StoreOperations, RunQuestions {}
