/** What a case of the store's conformance is, and the rows that the cases are made of. */
import type { JournalRow, LedgerRow, NewRun, RunState, RunWrite, Store } from '../../store/store.ts'

/** Gives a new, empty store that nobody has claimed; the case closes it. */
export type OpenStore = () => Store | Promise<Store>

export interface StoreCase {
  readonly name: string
  /** Rejects with an `AssertionError` when the store does not conform. */
  run(open: OpenStore): Promise<void>
}

/** A case over one store, which is closed at its end whatever happens. */
export const storeCase = (name: string, check: (store: Store) => Promise<void>): StoreCase => ({
  name,
  async run(open) {
    const store = await open()
    try {
      await check(store)
    } finally {
      await store.close()
    }
  },
})

/** A case over one store that has been claimed already. */
export const claimedCase = (name: string, check: (store: Store, epoch: number) => Promise<void>): StoreCase =>
  storeCase(name, async store => check(store, await claim(store)))

/** Claims the store and gives the epoch. */
export const claim = async (store: Store): Promise<number> =>
  (await store.claim({ pid: 4711, host: 'here', at: 1_000 })).epoch

export const newRun = (changes: Partial<NewRun> = {}): NewRun => ({
  workflow: 'review',
  version: '1',
  definitionHash: 'abc',
  input: '{"path":"."}',
  options: '{}',
  tags: [],
  createdAt: 1_000,
  ...changes,
})

export const stateOf = (changes: Partial<RunState> = {}): RunState => ({
  status: 'running',
  snapshot: '{"value":"a"}',
  seq: 0,
  updatedAt: 2_000,
  endedAt: null,
  counters: '{}',
  outcome: null,
  ...changes,
})

export const event = (seq: number, changes: Partial<JournalRow> = {}): JournalRow => ({
  seq,
  at: 1_000 + seq,
  type: 'stage.succeeded',
  schemaVersion: 1,
  data: `{"n":${seq}}`,
  ...changes,
})

export const entry = (key: string, changes: Partial<LedgerRow> = {}): LedgerRow => ({
  stage: 'collect',
  key,
  kind: 'call',
  state: 'intended',
  data: '{}',
  ...changes,
})

/** The first write of a run. */
export const start = (runId: string, changes: Partial<RunWrite> = {}): RunWrite => ({
  runId,
  create: newRun(),
  ...changes,
})
