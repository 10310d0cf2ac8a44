/**
 * Changes runs at rest, each by one write, and adds runs that others have written: a fork, an import. What is unfinished
 * then is taken up, unless it is to be held. Changes of one run follow one another.
 */
import { HoldfastError, RunNotFoundError } from '../../errors.ts'
import { isEnded, type RunRow, type RunStatus, type RunWrite, type Store, type StoredRun } from '../../store/store.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import type { Registry } from '../registry.ts'
import type { RunServices } from '../run/live.ts'
import type { Adoption } from './adoption.ts'
import type { RunsInMemory } from './runs-in-memory.ts'

export interface ChangesParts {
  readonly store: Store
  readonly registry: Registry
  readonly services: RunServices
  readonly memory: RunsInMemory
  readonly adoption: Adoption
}

/** Given the run as it is stored; may refuse. */
export type PlanChange = (stored: StoredRun) => Promise<RunWrite>

/** What a change may need to know beside the stored run. */
export interface RunFacts {
  /** The definition that the run goes on with. */
  readonly definition: WorkflowDefinition
  /** Those that it has started. */
  readonly children: ReadonlyMap<string, RunRow>
}

export class Changes {
  readonly #parts: ChangesParts
  /** The last change of each run that is being changed. */
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(parts: ChangesParts) {
    this.#parts = parts
  }

  /** @param types what is read of the journal; with `hold` the run is not taken up afterwards */
  async change(runId: string, types: readonly string[], hold: boolean, plan: PlanChange): Promise<void> {
    this.#parts.memory.ensureOpen()
    const earlier = this.#underWay.get(runId) ?? Promise.resolve()
    const change = earlier.then(() => this.#change(runId, types, hold, plan))
    const settled = change.catch(() => {})
    this.#underWay.set(runId, settled)
    try {
      await change
    } finally {
      if (this.#underWay.get(runId) === settled) this.#underWay.delete(runId)
    }
  }

  /** Writes a run that is not in memory, and takes it up where it is unfinished, unless it is to be held. */
  async add(write: RunWrite, hold: boolean): Promise<void> {
    const { store, services, memory, adoption } = this.#parts
    memory.ensureOpen()
    await store.commit(services.epoch, [write])
    services.announce({ id: write.runId }, write.journal ?? [])
    if (!hold && write.state && !isEnded(write.state.status)) await adoption.adopt(write.runId)
  }

  async factsOf({ run, ledger }: StoredRun): Promise<RunFacts> {
    const { registry, store } = this.#parts
    const children = new Map<string, RunRow>()
    for (const row of ledger) {
      if (row.kind !== 'child') continue
      const child = await store.readRun((JSON.parse(row.data) as { id: string }).id)
      if (child) children.set(child.id, child)
    }
    return { definition: registry.definitionFor(run), children }
  }

  async #change(runId: string, types: readonly string[], hold: boolean, plan: PlanChange): Promise<void> {
    const { store, memory } = this.#parts
    const live = memory.find(runId)
    if (live) {
      if (!isEnded(live.status)) throw stillGoesOn(runId, live.status)
      await live.nextResult()
    }
    const [stored] = await store.load([runId], types)
    if (!stored) throw new RunNotFoundError(runId)
    await this.add(await plan(stored), hold)
  }
}

const stillGoesOn = (runId: string, status: RunStatus): HoldfastError =>
  new HoldfastError('run_open', `run ${runId} has not ended, it is ${status}, so this does not apply to it`, {
    runId,
    status,
  })
