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
  type StoreOwner,
} from '../store/store.ts'
import type { JournalEvent } from '../telemetry/catalogue.ts'
import { systemClock } from '../time/clock.ts'
import { createIds } from '../time/ids.ts'
import { systemRandom } from '../time/random.ts'
import type { ListOptions, RunResult, RunSummary, TreeNode } from './api.ts'
import { circuitCommand, noRun } from './circuit-commands.ts'
import { fileShelf, noShelf, shelvedCircuits } from './circuit-shelf.ts'
import { type CircuitOperations, type CircuitSummary, circuitOperations } from './circuits.ts'
import { type CostReport, costReport } from './cost-report.ts'
import { eventOf } from './journal-feed.ts'
import { filterOf, summaryOf } from './listing.ts'
import { rawInput } from './run-input.ts'
import { besideStore, storeOf } from './runtime-options.ts'
import { treeOfSnapshot } from './stored-tree.ts'

export type CommandName = 'cancel' | 'pause' | 'resume' | 'signal'

export interface CommandArguments {
  readonly reason?: string | undefined
  /** Of `signal`. */
  readonly name?: string | undefined
  /** Of `signal`. */
  readonly payload?: unknown
}

/** A run as the store has it. */
export interface RunReport extends RunSummary {
  readonly input: unknown
  /** The file that exports its workflow, where it came from one. */
  readonly source?: string | undefined
  readonly cwd: string
  /** What it waits for, where it waits. */
  readonly waitingFor: readonly {
    readonly stage?: string
    readonly kind: string
    readonly name?: string
    readonly until?: number
  }[]
  /** How it ended, where it has. */
  readonly result?: RunResult | undefined
}

export interface Client {
  list(options?: ListOptions): Promise<Page<RunSummary>>
  /** @throws RunNotFoundError */
  get(runId: string): Promise<RunReport>
  /** Ids of all runs that have not ended, oldest first. */
  unfinished(): Promise<readonly string[]>
  /** The journal from `from` on. With `follow`, also what comes, until the run has ended or `signal` aborts. */
  events(
    runId: string,
    options?: { from?: number | undefined; follow?: boolean | undefined; signal?: AbortSignal | undefined },
  ): AsyncIterable<JournalEvent>
  /** The runs that have not ended, with their stages as they were last written. */
  tree(): Promise<TreeNode>
  /** The live process that owns the store, if there is one. */
  owner(): Promise<StoreOwner | undefined>
  /**
   * Hands a command to the owner and waits for its answer.
   * @throws StoreError `owner_silent` when there is no answer within 5 s; what the owner refused it with
   */
  command(
    runId: string,
    name: CommandName,
    args?: CommandArguments,
  ): Promise<{ readonly id: string; readonly status: RunStatus }>
  /** What the runs have cost that were created since then. */
  cost(options?: { readonly since?: number | undefined }): Promise<CostReport>
  /** The circuits, asked of the owner of the store; where there is none, as the last process left them. */
  readonly circuits: CircuitOperations
  storeDescription(): Promise<StoreDescription>
  close(): Promise<void>
}

const answerWithinMs = 5000
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
    async list(given = {}) {
      const { items, nextCursor } = await store.list(filterOf(given))
      return { items: items.map(summaryOf), ...(nextCursor === undefined ? {} : { nextCursor }) }
    },
    async get(runId) {
      const row = await rowOf(runId)
      const { cwd } = JSON.parse(row.options) as { cwd: string }
      return {
        ...summaryOf(row),
        input: rawInput(row.input),
        ...(row.source === undefined ? {} : { source: row.source }),
        cwd,
        waitingFor: row.status === 'waiting' ? await waitingFor(store, runId, row.seq) : [],
        ...(row.outcome === null ? {} : { result: JSON.parse(row.outcome) as RunResult }),
      }
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
      const rows = await store.load(await store.unfinished(), [])
      const runs = rows.map(({ run }) => treeOfSnapshot(run))
      const status = (await store.owner()) ? 'running' : 'stopped'
      return {
        id: 'root',
        type: 'supervisor',
        status,
        children: [{ id: 'runs', type: 'supervisor', status, children: runs }],
      }
    },
    owner: () => store.owner(),
    async command(runId, name, args = {}) {
      await rowOf(runId)
      return handOver<{ id: string; status: RunStatus }>(runId, name, args)
    },
    cost: ({ since } = {}) => costReport(store, since),
    circuits: {
      list: () => onCircuits('list', operations => operations.list()),
      reset: id => onCircuits('reset', async operations => [await operations.reset(id)], id).then(firstOf),
      isolate: id => onCircuits('isolate', async operations => [await operations.isolate(id)], id).then(firstOf),
    },
    storeDescription: () => store.describe(),
    close: () => store.close(),
  }
}

const firstOf = <T>([first]: readonly T[]): T => first as T

/** What the last `run.waiting` of the journal says. */
async function waitingFor(store: Store, runId: string, seq: number): Promise<RunReport['waitingFor']> {
  for (let after = seq; after > 0; after -= 100) {
    const rows = await store.readJournal(runId, { after: Math.max(0, after - 100), limit: 100 })
    const row = rows.findLast(candidate => candidate.type === 'run.waiting')
    if (row) return (JSON.parse(row.data) as { for: RunReport['waitingFor'] }).for
  }
  return []
}
