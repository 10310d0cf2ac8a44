/**
 * A client reads a store beside the process that owns it, and hands commands to that process through the store. It owns
 * nothing, recovers nothing and starts nothing. Where no live process owns the store, a command has nobody to go to:
 * `owner()` says so, and the caller takes the store over with `createRuntime`.
 */
import { decodeError, type EncodedError, RunNotFoundError, StoreError } from '../errors.ts'
import {
  isEnded,
  type Page,
  type RunStatus,
  type Store,
  type StoreDescription,
  type StoreFinding,
  type StoreOwner,
} from '../store/store.ts'
import type { JournalEvent } from '../telemetry/catalogue.ts'
import { systemClock } from '../time/clock.ts'
import { createIds } from '../time/ids.ts'
import { systemRandom } from '../time/random.ts'
import { treeOfSnapshot } from './actors/stored-tree.ts'
import type { ListOptions, RunResult, RunSummary, TreeNode, WaitSummary } from './api.ts'
import { circuitCommand, noRun } from './calls/circuit-commands.ts'
import { fileShelf, noShelf, shelvedCircuits } from './calls/circuit-shelf.ts'
import { type CircuitOperations, type CircuitSummary, circuitOperations } from './calls/circuits.ts'
import { type CostReport, costReport } from './calls/cost-report.ts'
import type { CommandArguments, CommandName } from './commands.ts'
import { eventOf } from './commits/journal-feed.ts'
import { explainRun } from './explain/explain-run.ts'
import type { ExplainOptions, Explanation } from './explain/explanation.ts'
import { listRuns, summaryOf, waitingFor } from './listing.ts'
import { backupOf } from './operations/backup.ts'
import { type Bundle, bundleOf } from './operations/bundle.ts'
import { type Diagnostics, diagnosticsOf } from './operations/diagnostics.ts'
import { refusalOfEnded } from './operations/ended-run.ts'
import type { ForkPlan } from './operations/fork.ts'
import type { QuarantineEvidence, QuarantineListOptions, QuarantineSummary } from './operations/operations-api.ts'
import { evidenceOf, listQuarantine } from './operations/quarantine.ts'
import type { KeptOptions } from './run/kept-options.ts'
import { rawInput } from './run/run-input.ts'
import { besideStore, storeOf } from './runtime-options.ts'

/** A run as the store has it. */
export interface RunReport extends RunSummary {
  readonly input: unknown
  /** The file that exports its workflow, where it came from one. */
  readonly source?: string | undefined
  readonly cwd: string
  /** It was read from a bundle: it is looked at and forked, and never goes on. */
  readonly isImported: boolean
  /** What it waits for, where it waits. */
  readonly waitingFor: readonly WaitSummary[]
  /** How it ended, where it has. */
  readonly result?: RunResult | undefined
}

/** What the owner made of a command: how the run stands that it was about. */
export interface CommandAnswer {
  /** Of `fork` the new run. */
  readonly id: string
  readonly status: RunStatus
  /** Of `fork`. */
  readonly plan?: ForkPlan | undefined
}

export interface Client {
  list(options?: ListOptions): Promise<Page<RunSummary>>
  /** @throws RunNotFoundError */
  get(runId: string): Promise<RunReport>
  /** The run, where it has not ended. @throws RunNotFoundError; HoldfastError `run_not_open run_imported` */
  getOpen(runId: string): Promise<RunReport>
  /** Ids of all runs that have not ended, oldest first. */
  unfinished(): Promise<readonly string[]>
  /** The journal from `from` on. With `follow`, also what comes, until the run has ended or `signal` aborts. */
  events(
    runId: string,
    options?: { from?: number | undefined; follow?: boolean | undefined; signal?: AbortSignal | undefined },
  ): AsyncIterable<JournalEvent>
  /** The runs that have not ended, with their stages as they were last written. */
  tree(): Promise<TreeNode>
  /**
   * What became of a run and why, also while another process has it.
   * @throws RunNotFoundError; OptionsError for a stage that it does not have
   */
  explain(runId: string, options?: ExplainOptions): Promise<Explanation>
  /** The live process that owns the store, if there is one. */
  owner(): Promise<StoreOwner | undefined>
  /**
   * Hands a command to the owner and waits for its answer.
   * @throws StoreError `owner_silent` when there is no answer within 5 s; what the owner refused it with
   */
  command(runId: string, name: CommandName, args?: CommandArguments): Promise<CommandAnswer>
  /** How a run stands, and what one might do about it. @throws RunNotFoundError */
  diagnostics(runId: string): Promise<Diagnostics>
  readonly quarantine: {
    list(options?: QuarantineListOptions): Promise<Page<QuarantineSummary>>
    /** @throws RunNotFoundError; HoldfastError `run_open run_not_open` for a run that is not in quarantine */
    show(runId: string): Promise<QuarantineEvidence>
  }
  /**
   * A run as redacted data for a file. `secrets`: values that are taken out wherever they occur.
   * @throws RunNotFoundError
   */
  bundle(runId: string, options?: { readonly secrets?: readonly string[] | undefined }): Promise<Bundle>
  /**
   * Writes a copy of the store, as it is at one moment, to a file that does not exist. The owner writes on meanwhile.
   * @throws StoreError `store_missing store_not_empty store_full store_readonly`
   */
  backup(file: string): Promise<void>
  /** What must not be in the store, and is. Nothing where all is well. @throws StoreError `store_missing store_corrupt` */
  verify(): Promise<readonly StoreFinding[]>
  /** What the runs have cost that were created since then. */
  cost(options?: { readonly since?: number | undefined }): Promise<CostReport>
  /** The circuits, asked of the owner of the store; where there is none, as the last process left them. */
  readonly circuits: CircuitOperations
  storeDescription(): Promise<StoreDescription>
  close(): Promise<void>
}

const answerWithinMs = 5000
/** Of a million runs that wait a tree shows the oldest. */
const mostShown = 1000
const askEveryMs = 25
const lookEveryMs = 150

/** @param options.store a path or a store; default `.holdfast/holdfast.db`. A file that does not exist reads as empty */
export function createClient(options: { readonly store?: string | Store | undefined } = {}): Client {
  const store = storeOf(options.store ?? '.holdfast/holdfast.db')
  const clock = systemClock
  const ids = createIds(clock, systemRandom)
  const pause = (ms: number): Promise<void> => new Promise(resolve => clock.setTimeout(resolve, ms))

  const rowOf = async (runId: string) => {
    const row = await store.readRun(runId)
    if (!row) throw new RunNotFoundError(runId)
    return row
  }

  const answer = async <T>(commandId: string): Promise<T | undefined> => {
    const reply = await store.readReply(commandId)
    if (reply?.error !== undefined) throw decodeError(JSON.parse(reply.error) as EncodedError)
    return reply?.value === undefined ? undefined : (JSON.parse(reply.value) as T)
  }

  /** Leaves a command for the owner and waits for its answer. */
  const handOver = async <T>(runId: string, name: string, args: object): Promise<T> => {
    const id = ids.run('command')
    await store.enqueueCommand({ id, name, runId, args: JSON.stringify(args), at: clock.now() })
    for (let waited = 0; waited < answerWithinMs; waited += askEveryMs) {
      const told = await answer<T>(id)
      if (told) return told
      await pause(askEveryMs)
    }
    const owner = await store.owner()
    throw new StoreError(
      'owner_silent',
      `process ${owner?.pid ?? '?'} owns the store and did not take the command '${name}' within ${answerWithinMs / 1000} s; it is kept and will be taken when the process comes to it`,
      { runId, command: name, owner },
    )
  }

  const reportOf = async (runId: string): Promise<RunReport> => {
    const row = await rowOf(runId)
    const { cwd, imported } = JSON.parse(row.options) as KeptOptions
    return {
      ...summaryOf(row),
      input: rawInput(row.input),
      ...(row.source === undefined ? {} : { source: row.source }),
      cwd,
      isImported: imported !== undefined,
      waitingFor: row.status === 'waiting' ? await waitingFor(store, runId, row.seq) : [],
      ...(row.outcome === null ? {} : { result: JSON.parse(row.outcome) as RunResult }),
    }
  }

  const onCircuits = async (
    name: Parameters<typeof circuitCommand>[0],
    alone: (operations: CircuitOperations) => Promise<readonly CircuitSummary[]>,
    id?: string,
  ): Promise<readonly CircuitSummary[]> => {
    if (await store.owner()) {
      return (await handOver<{ items: readonly CircuitSummary[] }>(noRun, circuitCommand(name), { id })).items
    }
    const base = besideStore(options.store ?? '.holdfast/holdfast.db')
    const shelf = base === undefined ? noShelf : fileShelf(`${base}.circuits.json`)
    return alone(circuitOperations(shelvedCircuits(shelf, clock)))
  }

  return {
    list: async (given = {}) => listRuns(store, given),
    get: reportOf,
    async getOpen(runId) {
      const report = await reportOf(runId)
      if (report.endedAt !== undefined) throw refusalOfEnded(report)
      return report
    },
    unfinished: () => store.unfinished(),
    async *events(runId, { from = 1, follow = false, signal } = {}) {
      await rowOf(runId)
      for (let after = from - 1; !signal?.aborted; ) {
        const ended = isEnded((await rowOf(runId)).status)
        const rows = await store.readJournal(runId, { after, limit: 1000 })
        for (const row of rows) {
          after = row.seq
          yield eventOf(runId, row)
        }
        if (rows.length > 0) continue
        if (!follow || ended) return
        await pause(lookEveryMs)
      }
    },
    async tree() {
      const rows = await store.load(await store.unfinished({ limit: mostShown }), [])
      const runs = rows.map(({ run }) => treeOfSnapshot(run))
      const status = (await store.owner()) ? 'running' : 'stopped'
      return {
        id: 'root',
        type: 'supervisor',
        status,
        children: [{ id: 'runs', type: 'supervisor', status, children: runs }],
      }
    },
    explain: (runId, options) => explainRun(store, runId, options),
    owner: () => store.owner(),
    async command(runId, name, args = {}) {
      const row = name === 'import' ? undefined : await rowOf(runId)
      const given = name === 'fork' && row ? { ...args, id: args.id ?? ids.run(row.workflow) } : args
      return handOver<CommandAnswer>(runId, name, given)
    },
    cost: ({ since } = {}) => costReport(store, since),
    circuits: {
      list: () => onCircuits('list', operations => operations.list()),
      reset: id => onCircuits('reset', async operations => [await operations.reset(id)], id).then(firstOf),
      isolate: id => onCircuits('isolate', async operations => [await operations.isolate(id)], id).then(firstOf),
    },
    diagnostics: runId => diagnosticsOf(store, runId, clock.now()),
    quarantine: { list: options => listQuarantine(store, options), show: runId => evidenceOf(store, runId) },
    bundle: (runId, { secrets = [] } = {}) => bundleOf(store, runId, { secrets, now: clock.now() }),
    backup: file => backupOf(store, file),
    verify: async () => (await store.verify?.()) ?? [],
    storeDescription: () => store.describe(),
    close: () => store.close(),
  }
}

const firstOf = <T>([first]: readonly T[]): T => first as T
