/**
 * Lets a run that only waits leave memory, and brings it back when something moves it: a timer of its own, the end of a
 * child, or a workflow that was not known before. One that cannot be brought back is said so and passed over from then
 * on, until another workflow is known.
 */
import { encodeError } from '../../errors.ts'
import type { Store } from '../../store/store.ts'
import type { RunServices } from '../run/live.ts'
import { ActorRun } from '../run/live-run.ts'
import type { Adoption } from './adoption.ts'
import type { Ends } from './ends.ts'
import { createParking, type Parking } from './parking.ts'
import type { RunsInMemory } from './runs-in-memory.ts'
import { createSleepers, type Sleepers } from './sleepers.ts'

export interface PassivationParts {
  readonly store: Store
  readonly services: RunServices
  readonly memory: RunsInMemory
  readonly adoption: Adoption
  readonly ends: Ends
}

export class Passivation {
  readonly #parts: PassivationParts
  /** Those that could not be woken, since their workflow is not known. */
  readonly #refused = new Set<string>()
  readonly #parking: Parking<ActorRun>
  readonly #sleepers: Sleepers
  #wakesSleepers = false

  constructor(parts: PassivationParts) {
    this.#parts = parts
    const { store, services, memory } = parts
    const { clock, wheel, log } = services
    this.#parking = createParking({ clock, wheel, park: run => this.#park(run) })
    this.#sleepers = createSleepers({
      store,
      clock,
      wheel,
      log,
      passesOver: id => memory.has(id) || this.#refused.has(id),
      wake: ids => this.wake(ids),
    })
  }

  /** Sleeping runs are woken here, so runs may leave memory. */
  get wakesSleepers(): boolean {
    return this.#wakesSleepers
  }

  /** From now on runs may leave memory: who calls this opens the sleepers next. */
  begin(): void {
    this.#wakesSleepers = true
    for (const run of this.#parts.memory.all()) this.#parking.note(run)
  }

  /** From now on sleeping runs are woken by their timers; resolves when what was overdue has been. */
  openSleepers(): Promise<void> {
    return this.#sleepers.open()
  }

  /** The run has been written: it may have begun to wait, or found out that it need not. */
  note(run: ActorRun): void {
    if (this.#wakesSleepers) this.#parking.note(run)
  }

  /** The run has ended. */
  forget(run: ActorRun): void {
    this.#parking.forget(run)
  }

  /** Those that were refused may be of this workflow, or of a child of it. */
  workflowAdded(): void {
    if (this.#refused.size === 0) return
    this.#refused.clear()
    this.#sleepers.note(this.#parts.services.clock.now())
  }

  /** The run cannot be woken here; its parent may know how. */
  passOver(runId: string): void {
    this.#refused.add(runId)
  }

  /** Brings sleeping runs back, since something has come that they may wait for. */
  async wake(runIds: readonly string[]): Promise<void> {
    const { services, memory, adoption } = this.#parts
    try {
      const woken: ActorRun[] = []
      for (const [id, outcome] of await adoption.takeUpAll(runIds)) {
        if (outcome instanceof ActorRun) woken.push(outcome)
        else await this.#refuse(id, outcome)
      }
      await Promise.all(woken.map(run => run.durable()))
    } catch (error) {
      if (memory.isOpen) services.log.warn({ error: encodeError(error) }, 'sleeping runs could not be woken')
    }
  }

  /** The workflow of a child may be known to the code of its parent alone, which gives it again when it runs. */
  async wakeParentOf(runId: string): Promise<void> {
    const { store, memory } = this.#parts
    const parent = (await store.readRun(runId))?.parent?.runId
    if (parent !== undefined && !memory.has(parent) && !this.#refused.has(parent)) await this.wake([parent])
  }

  close(): void {
    this.#parking.close()
    this.#sleepers.close()
  }

  async #refuse(runId: string, error: unknown): Promise<void> {
    this.#refused.add(runId)
    this.#parts.services.log.warn({ runId, error: encodeError(error) }, `run ${runId} could not be woken`)
    await this.wakeParentOf(runId)
  }

  /** The run leaves memory: from here on the store has it, until something moves it. */
  #park(run: ActorRun): void {
    const { memory, ends } = this.#parts
    memory.drop(run.id)
    memory.sleeping++
    const { nextDueAt } = run
    ends.keep(run.id, run.leave())
    if (nextDueAt !== undefined) this.#sleepers.note(nextDueAt)
    memory.holdProcess()
  }
}
