/**
 * The port to durability. A store keeps runs: for each a small row that is updated, an append-only journal that also
 * carries the results, a ledger of effects, timers and signals. It is asynchronous and takes batches, so that a
 * database behind a network fits as well as a file. All values cross it as JSON text: what comes back is what was
 * written, and nothing is shared with the caller.
 *
 * A process that writes claims the store first. The claim gives an epoch; every commit carries it, and a commit with
 * an epoch that is no longer the newest changes nothing and rejects with `LeaseLostError`. Reads and `enqueueCommand`
 * need no claim and work beside a live owner.
 */

/** JSON as text. */
export type JsonText = string

/** Where a run may stand. The last five are ends; `completed` and `cancelled` are final, the others may be reopened. */
export const runStatuses = [
  'pending',
  'running',
  'waiting',
  'paused',
  'recovering',
  'cancelling',
  'completed',
  'cancelled',
  'failed',
  'quarantined',
  'budget_exceeded',
] as const

export type RunStatus = (typeof runStatuses)[number]

export const endedStatuses: readonly RunStatus[] = [
  'completed',
  'cancelled',
  'failed',
  'quarantined',
  'budget_exceeded',
]

export const isEnded = (status: RunStatus): boolean => endedStatuses.includes(status)

/** What is written once, when a run is started; of it only the definition may be another later. */
export interface NewRun extends DefinitionMark {
  readonly workflow: string
  /** The file that exports the workflow, absolute; undefined for one that was given in code or is bundled. */
  readonly source?: string | undefined
  readonly input: JsonText
  /** The start options that outlive the call (profile, budget, deadline, priority, cwd), as JSON. */
  readonly options: JsonText
  readonly tags: readonly string[]
  readonly createdAt: number
  /** Set for a child run. */
  readonly parent?: { readonly runId: string; readonly stage: string } | undefined
}

/** Which definition of its workflow a run is of. */
export interface DefinitionMark {
  readonly version: string
  readonly definitionHash: string
}

/** The part of a run's row that changes. */
export interface RunState {
  readonly status: RunStatus
  /** The persisted snapshot of the run's actors; null before the first and after the end. */
  readonly snapshot: JsonText | null
  /** The sequence number of the last journal event. */
  readonly seq: number
  readonly updatedAt: number
  readonly endedAt: number | null
  /** Counters that must outlive the process (attempts, restarts, resumes, crashes, cost), as JSON. */
  readonly counters: JsonText
  /** The `RunResult` of the last end, as JSON; null while it is unfinished. */
  readonly outcome: JsonText | null
}

export interface RunRow extends NewRun, RunState {
  readonly id: string
}

/** One line of a run's journal. `seq` is dense from 1. */
export interface JournalRow {
  readonly seq: number
  readonly at: number
  readonly type: string
  readonly schemaVersion: number
  readonly stage?: string | undefined
  readonly attempt?: number | undefined
  readonly incarnation?: number | undefined
  readonly data: JsonText
}

export type LedgerState = 'intended' | 'succeeded' | 'failed' | 'unknown' | 'superseded'

/** One effect of a stage: a model call, a step, a sleep, a wait, a child run. Identity: run, stage, key. */
export interface LedgerRow {
  readonly stage: string
  readonly key: string
  readonly kind: 'call' | 'step' | 'sleep' | 'signal' | 'child'
  readonly state: LedgerState
  /** What was asked and what came of it, as JSON. */
  readonly data: JsonText
}

/**
 * A durable timer: identity is run and key. One whose key begins with `run:` counts for the run as a whole, while it is
 * paused too.
 */
export interface TimerRow {
  readonly key: string
  readonly dueAt: number
  /** What the owner needs to know when it is due, as JSON. */
  readonly data: JsonText
}

/** A signal that has been acknowledged; `ordinal` orders the signals of a run, from 1. */
export interface SignalRow {
  readonly ordinal: number
  readonly name: string
  readonly payload: JsonText
  readonly at: number
  readonly consumed: boolean
}

/**
 * All that one commit holds for one run: applied wholly or not at all. Of timers, those to clear go first; of signals,
 * those to add. A run that is created without a state is `pending` with an empty journal. A name (of a run, a stage, a
 * key) with U+0000 or half of a surrogate pair is refused with a `ValidationError`, because no database keeps it.
 */
export interface RunWrite {
  readonly runId: string
  /** Present in the first write of a run; a run of that id must not exist. */
  readonly create?: NewRun | undefined
  /** The definition that the run goes on with from here on, in place of the one it had. */
  readonly definition?: DefinitionMark | undefined
  readonly state?: RunState | undefined
  readonly journal?: readonly JournalRow[] | undefined
  /** Inserted, or replaced where the key exists. */
  readonly ledger?: readonly LedgerRow[] | undefined
  readonly setTimers?: readonly TimerRow[] | undefined
  readonly clearTimers?: readonly string[] | undefined
  readonly addSignals?: readonly Omit<SignalRow, 'consumed'>[] | undefined
  /** Ordinals of the signals that were taken. */
  readonly consumeSignals?: readonly number[] | undefined
  /** Timers of other runs, as if they had set them; for a run that has ended or does not exist nothing happens. */
  readonly wake?: readonly Wake[] | undefined
}

/** A timer that one run sets for another, so that what the one did is not missed by the other. */
export interface Wake extends TimerRow {
  readonly runId: string
}

/** A timer of a run that sleeps: it waits, or it is paused and the timer is one of the run as a whole. */
export interface SleepingTimer {
  readonly runId: string
  readonly key: string
  readonly dueAt: number
}

/** A run with everything that is needed to go on with it. */
export interface StoredRun {
  readonly run: RunRow
  /** The journal rows of the wanted types, in order. */
  readonly journal: readonly JournalRow[]
  readonly ledger: readonly LedgerRow[]
  readonly timers: readonly TimerRow[]
  /** The signals that nobody has taken yet, in order. */
  readonly signals: readonly SignalRow[]
  /** What was damaged and could be told from the rest, in sentences. */
  readonly mended?: readonly string[] | undefined
}

export interface RunFilter {
  readonly status?: readonly RunStatus[] | undefined
  readonly workflow?: string | undefined
  /** Runs that carry all of these. */
  readonly tags?: readonly string[] | undefined
  /** Part of the id, the workflow or a tag, case-insensitive. */
  readonly text?: string | undefined
  /** Created at or after, ms. */
  readonly since?: number | undefined
  /** 1 to 1000; default 100. Newest first. */
  readonly limit?: number | undefined
  /** Where the last page ended: its `nextCursor`. */
  readonly cursor?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor?: string | undefined
}

/** Who holds the claim. */
export interface StoreOwner {
  readonly pid: number
  readonly host: string
  readonly epoch: number
  readonly claimedAt: number
}

/** An operator's command, left in the store for the process that owns it. */
export interface Command {
  readonly id: string
  readonly name: string
  readonly runId: string
  readonly args: JsonText
  readonly at: number
}

/** What the owner made of a command: exactly one of the two. */
export interface CommandReply {
  readonly value?: JsonText | undefined
  /** An `EncodedError` as JSON. */
  readonly error?: JsonText | undefined
}

/** What a store says of itself, read back from it rather than assumed. */
export interface StoreDescription {
  readonly kind: string
  readonly location: string
  /** `fsync`: an acknowledged commit survives power loss. `process`: it lives as long as the process. */
  readonly durability: 'fsync' | 'process'
  readonly schemaVersion: number
  /** Settings of the database that the durability rests on, as read back from it. */
  readonly settings: Readonly<Record<string, string | number>>
}

/** Which ended runs are deleted. */
export interface PurgeFilter {
  /** Ends only. */
  readonly status: readonly RunStatus[]
  /** Ended before, ms. */
  readonly endedBefore: number
  /** At most so many, their descendants not counted. */
  readonly limit: number
}

/** A journal row among those of all runs; `position` rises with each row that was written. */
export interface PositionedRow {
  readonly position: number
  readonly runId: string
  readonly row: JournalRow
}

/** Something that is wrong with what a store holds. */
export interface StoreFinding {
  readonly kind: 'integrity' | 'orphan' | 'journal' | 'ledger' | 'snapshot'
  readonly runId?: string | undefined
  readonly message: string
}

export interface Store {
  /**
   * Opens the store for writing and takes ownership, with a higher epoch than any before.
   * @throws StoreError `store_owned` (details: `owner`) while another live process or runtime owns it; `store_corrupt`,
   * `store_readonly`, `store_full`, `store_newer`
   */
  claim(claimant: { readonly pid: number; readonly host: string; readonly at: number }): Promise<StoreOwner>
  /**
   * Applies all writes in one transaction, in order. Resolves once they are durable; when it rejects, none is applied.
   * @throws LeaseLostError; RunConflictError for `create` of a run that exists; RunNotFoundError for any other write to
   * one that does not; StoreError `store_failed` for a journal row or a signal whose number is taken, or when the
   * database failed, `store_full`, `store_corrupt`
   */
  commit(epoch: number, writes: readonly RunWrite[]): Promise<void>
  /** Whether commits are made aside by now, while the thread that asked goes on. Absent: it stands still meanwhile. */
  readonly commitsAside?: (() => boolean) | undefined

  readRun(runId: string): Promise<RunRow | undefined>
  /** Ids of all runs that have not ended, oldest first; of those in these states, and at most so many, where asked. */
  unfinished(filter?: { readonly status?: readonly RunStatus[]; readonly limit?: number }): Promise<readonly string[]>
  /** Timers of sleeping runs, by due time, then run, then key; those above a place in that order. `limit` default 1000. */
  sleepingTimers(range?: { readonly above?: SleepingTimer; readonly limit?: number }): Promise<readonly SleepingTimer[]>
  /** Unknown ids are left out. `journalTypes`: which journal rows to bring along. */
  load(runIds: readonly string[], journalTypes: readonly string[]): Promise<readonly StoredRun[]>
  list(filter: RunFilter): Promise<Page<RunRow>>
  /** Rows with `seq` above `after`, in order. `limit` default 1000. */
  readJournal(runId: string, options?: { after?: number; limit?: number }): Promise<readonly JournalRow[]>
  readLedger(runId: string): Promise<readonly LedgerRow[]>

  /** Journal rows of all runs with a position above `after`, in the order in which they were written. */
  readEvents(after: number, limit: number): Promise<readonly PositionedRow[]>
  /**
   * Deletes ended runs whole, oldest first, each with its descendants. A child stays as long as its parent is there, and
   * a run as long as one of its descendants is unfinished. Gives the ids of what was deleted.
   */
  purge(epoch: number, filter: PurgeFilter): Promise<readonly string[]>
  /** Deletes commands that have a reply and were left before `before`; gives how many. */
  purgeCommands(epoch: number, before: number): Promise<number>

  /** Writes a copy of one moment to a file that does not exist. Works beside a live owner. Absent: it cannot. */
  readonly backup?: ((file: string) => Promise<void>) | undefined
  /** Looks for what must not be. Reads only. Absent: it cannot. */
  readonly verify?: (() => Promise<readonly StoreFinding[]>) | undefined

  /** The live owner, if there is one. */
  owner(): Promise<StoreOwner | undefined>
  /** Leaves a command for the owner. Needs no claim. */
  enqueueCommand(command: Command): Promise<void>
  /** Commands that have no reply yet, oldest first. */
  pendingCommands(): Promise<readonly Command[]>
  /** Records what the owner made of a command; the first reply stays. */
  replyToCommand(epoch: number, commandId: string, reply: CommandReply): Promise<void>
  readReply(commandId: string): Promise<CommandReply | undefined>
  /** Calls `listener` when there may be new commands; it never throws into the store. Returns how to stop. */
  onCommands(listener: () => void): () => void

  describe(): Promise<StoreDescription>
  /** Gives up the claim and every file. A store that was closed can be claimed again. Idempotent. */
  close(): Promise<void>
}
