/**
 * Takes runs up from the store into memory. Each is taken up once, however many ask for it at the same time. One whose
 * definition is not known here stays in the store and says what it waits for; one of which too little can be read is
 * set aside; neither keeps the others from going on.
 */
import { encodeError, HoldfastError, RunNotFoundError, SnapshotError } from '../../errors.ts'
import { isEnded, type NewRun, type RunRow, type RunWrite, type Store, type StoredRun } from '../../store/store.ts'
import { waitingForDefinition } from '../operations/waiting-for-definition.ts'
import type { Registry } from '../registry.ts'
import type { RunServices } from '../run/live.ts'
import { ActorRun } from '../run/live-run.ts'
import { rememberedTypes } from '../run/recall.ts'
import { condemn, unreadable } from './condemned.ts'
import { migrated } from './migration.ts'
import { cancelOrphan, endedParents } from './orphans.ts'
import { asleep, type RunsInMemory } from './runs-in-memory.ts'

export interface AdoptionParts {
  readonly store: Store
  readonly registry: Registry
  readonly services: RunServices
  readonly memory: RunsInMemory
}

export class Adoption {
  readonly #parts: AdoptionParts
  /** Those that are being taken up. */
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(parts: AdoptionParts) {
    this.#parts = parts
  }

  /** Resolves when the run, which is being taken up, has been; undefined when it is not. */
  underWay(runId: string): Promise<void> | undefined {
    return this.#underWay.get(runId)
  }

  /**
   * Takes up an unfinished run that is in the store and not in memory. No function of it runs before its next commit, so
   * what the caller asks of it at once, such as a pause, comes first.
   */
  async adopt(runId: string): Promise<ActorRun> {
    const { store, memory } = this.#parts
    for (;;) {
      memory.ensureOpen()
      const known = memory.find(runId)
      if (known) return known
      const adopting = this.#underWay.get(runId)
      if (adopting) await adopting
      else break
    }
    const outcome = (await this.takeUpAll([runId])).get(runId)
    if (outcome instanceof ActorRun) return outcome
    if (outcome !== undefined) throw outcome
    const row = await store.readRun(runId)
    if (!row) throw new RunNotFoundError(runId)
    throw new HoldfastError('run_not_open', `run ${runId} has ended as ${row.status}`, { runId, status: row.status })
  }

  /**
   * Takes up those that have not ended: a run, or why it cannot be. While this is under way nobody else takes them up,
   * and what was read of them stays true, since only a run in memory is written.
   */
  async takeUpAll(runIds: readonly string[]): Promise<Map<string, unknown>> {
    const { store, memory } = this.#parts
    const outcomes = new Map<string, unknown>()
    const mine = runIds.filter(id => !memory.has(id) && !this.#underWay.has(id) && !memory.starting.has(id))
    const { promise, resolve } = withResolvers()
    for (const id of mine) this.#underWay.set(id, promise)
    try {
      const loaded = await this.#load(mine, outcomes)
      const parents = await endedParents(store, loaded)
      memory.ensureOpen()
      for (const stored of loaded) {
        if (isEnded(stored.run.status)) continue
        const { id } = stored.run
        try {
          const fault = unreadable(stored)
          if (fault) throw await this.#condemn(stored, fault)
          outcomes.set(id, this.#takeUp(stored, parents))
        } catch (error) {
          await this.leaveWaiting(stored.run, error)
          outcomes.set(id, error)
        }
      }
    } finally {
      for (const id of mine) this.#underWay.delete(id)
      resolve()
    }
    return outcomes
  }

  /** A run whose definition has changed waits for it, and says so to who lists the runs; what an operator began stays. */
  async leaveWaiting(run: RunRow, error: unknown): Promise<void> {
    if (!(error instanceof SnapshotError) || error.code !== 'workflow_changed') return
    if (run.status === 'paused' || run.status === 'cancelling') return
    const { store, services } = this.#parts
    const [last] = await store.readJournal(run.id, { after: run.seq - 1, limit: 1 })
    const write = waitingForDefinition(run, last, error, services.clock.now())
    if (write) await store.commit(services.epoch, [write])
  }

  /** One run that the disk no longer gives back does not keep the others from being read. */
  async #load(runIds: readonly string[], outcomes: Map<string, unknown>): Promise<readonly StoredRun[]> {
    const { store } = this.#parts
    try {
      return await store.load(runIds, rememberedTypes)
    } catch (error) {
      if (runIds.length === 1) throw error
      const loaded: StoredRun[] = []
      for (const id of runIds) {
        try {
          loaded.push(...(await store.load([id], rememberedTypes)))
        } catch (failure) {
          outcomes.set(id, failure)
        }
      }
      return loaded
    }
  }

  /** Sets a run aside of which too little can be read to start anything for it. Gives why. */
  async #condemn(stored: StoredRun, fault: SnapshotError): Promise<SnapshotError> {
    const { services } = this.#parts
    services.log.error({ runId: stored.run.id, error: encodeError(fault) }, `run ${stored.run.id} is quarantined`)
    const write = condemn(stored, fault, services.clock.now())
    await new Promise<void>((committed, reject) => {
      let pending: RunWrite | undefined = write
      const takeWrite = (): RunWrite | undefined => {
        const taken = pending
        pending = undefined
        return taken
      }
      services.pipeline.mark({ takeWrite, committed })
      services.pipeline.durable().catch(reject)
    })
    return fault
  }

  #takeUp(stored: StoredRun, parents: ReadonlyMap<string, RunRow>): ActorRun {
    const { memory } = this.#parts
    const run = this.#revive(stored)
    if (asleep.includes(stored.run.status)) memory.sleeping = Math.max(0, memory.sleeping - 1)
    cancelOrphan(run, parents)
    return run
  }

  #revive(stored: StoredRun): ActorRun {
    const { registry, services, memory } = this.#parts
    const definition = registry.definitionFor(stored.run)
    const { stored: known, migration } = migrated(stored, definition)
    const run = new ActorRun(known.run.id, definition, specOf(known.run), services, known)
    memory.hold(run)
    if (migration) {
      run.journal('run.migrated', migration)
      run.pending.define(migration.to)
    }
    const hasNotBegun = known.run.status === 'waiting' && known.run.snapshot === null
    if (known.run.status === 'pending' || hasNotBegun) {
      run.status = 'pending'
      run.timers.rearm()
      memory.launchOrEnqueue(run)
    } else run.revive()
    return run
  }
}

function specOf(row: RunRow): NewRun {
  const { workflow, version, definitionHash, source, input, options, tags, createdAt, parent } = row
  return { workflow, version, definitionHash, source, input, options, tags, createdAt, parent }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}
