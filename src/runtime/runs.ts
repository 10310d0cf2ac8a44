/**
 * The runs that are in memory: started here, or taken up from the store. A run that finds no place waits as `pending`;
 * one that only waits leaves memory, and is taken up again when something moves it. One id is one run: who starts it
 * again gets the same, and who starts another under it is refused.
 */

import { encodeError, HoldfastError, RunConflictError, RunNotFoundError, SnapshotError } from '../errors.ts'
import {
  isEnded,
  type NewRun,
  type RunRow,
  type RunStatus,
  type RunWrite,
  type Store,
  type StoredRun,
} from '../store/store.ts'
import type { Ids } from '../time/ids.ts'
import { type AnyWorkflow, definitionOf, type WorkflowDefinition } from '../workflow/definition.ts'
import { encodeJson } from '../workflow/results.ts'
import type { RecoveryReport, RunResult } from './api.ts'
import type { KeepAlive } from './commits/keep-alive.ts'
import { checkName } from './names.ts'
import { waitingForDefinition } from './operations/waiting-for-definition.ts'
import type { Registry } from './registry.ts'
import { condemn, unreadable } from './run/condemned.ts'
import type { RunServices } from './run/live.ts'
import { ActorRun } from './run/live-run.ts'
import { createParking, type Parking } from './run/parking.ts'
import { rememberedTypes } from './run/recall.ts'
import { isSameInput, keptInput } from './run/run-input.ts'
import { createSleepers, type Sleepers } from './run/sleepers.ts'
import type { ResolvedStart } from './runtime-options.ts'

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

interface Waiter {
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: unknown) => void
}

/** Generated ids that are tried before a start is refused. */
const mostDraws = 100

/** Runs that are loaded from the store at once during recovery. */
const recoveryPage = 500

/** Statuses of runs that something is to be done for as soon as there is a process. */
const awake: readonly RunStatus[] = ['pending', 'running', 'recovering', 'cancelling']
const asleep: readonly RunStatus[] = ['waiting', 'paused']
/** Of so many sleeping runs a recovery says whether they can be gone on with; the others show it when they wake. */
const mostSleepersNamed = 1000

export class Runs {
  readonly #options: RunsOptions
  readonly #live = new Map<string, ActorRun>()
  readonly #starting = new Map<string, Promise<void>>()
  /** Those that wait for a place, higher priority first. */
  readonly #queue: ActorRun[] = []
  /** Who waits for the end of a run that is not in memory. */
  readonly #waiters = new Map<string, Waiter[]>()
  /** The last change of each run that is being changed. */
  readonly #changes = new Map<string, Promise<void>>()
  /** Those that are being taken up. */
  readonly #adopting = new Map<string, Promise<void>>()
  /** Those that could not be woken, since their workflow is not known. */
  readonly #refused = new Set<string>()
  readonly #parking: Parking<ActorRun>
  readonly #sleepers: Sleepers
  /** Sleeping runs are woken here, so runs may leave memory. */
  #wakesSleepers = false
  /** Sleeping runs that this process is there for, as far as it knows. */
  #sleeping = 0
  #closedBy: unknown

  constructor(options: RunsOptions) {
    this.#options = options
    const { clock, wheel, log } = options.services
    this.#parking = createParking({ clock, wheel, park: run => this.#park(run) })
    this.#sleepers = createSleepers({
      store: options.store,
      clock,
      wheel,
      log,
      passesOver: id => this.#live.has(id) || this.#refused.has(id),
      wake: ids => this.#wake(ids),
    })
  }

  find(runId: string): ActorRun | undefined {
    return this.#live.get(runId)
  }

  all(): Iterable<ActorRun> {
    return this.#live.values()
  }

  /** Starts the run, or finds the one of that id; the start is durable when this resolves. */
  async start(workflow: AnyWorkflow, input: unknown, start: ResolvedStart, parent?: NewRun['parent']): Promise<string> {
    this.ensureOpen()
    const { services, registry } = this.#options
    const definition = definitionOf(workflow)
    const isNew = registry.add(workflow)
    if (isNew) void services.baselines.learn({ workflow: definition.name, version: definition.version })
    if (isNew && this.#refused.size > 0) {
      this.#refused.clear()
      this.#sleepers.note(services.clock.now())
    }
    if (isNew && parent === undefined) {
      services.log.warn(
        { workflow: definition.name },
        `workflow '${definition.name}' was not among createRuntime({ workflows }), so a recovery will not find its runs; add it there`,
      )
    }
    const text = keptInput(definition, input)
    const id = start.id === undefined ? await this.freshId(definition.name) : checkName(start.id, 'the id of a run')
    const spec: NewRun = {
      workflow: definition.name,
      version: definition.version,
      definitionHash: definition.hash,
      source: start.source,
      input: text,
      options: JSON.stringify(start.kept),
      tags: start.tags,
      createdAt: services.clock.now(),
      parent,
    }
    if (start.id !== undefined) {
      await this.#starting.get(id)
      const live = this.#live.get(id)
      const row = live ? undefined : await this.#options.store.readRun(id)
      const known = live?.spec ?? row
      if (known) {
        refuseOther(id, known, spec, definition)
        // Begun by an earlier process and not taken up yet: it goes on here.
        if (row && !isEnded(row.status) && !(this.#wakesSleepers && asleep.includes(row.status)))
          await this.adopt(id).then(run => run.durable(), unlessEnded)
        return id
      }
      const begun = this.#starting.get(id)
      if (begun) {
        await begun
        return this.start(workflow, input, start, parent)
      }
    }
    const run = new ActorRun(id, definition, spec, services)
    const started = this.#begin(run)
    this.#starting.set(id, started)
    try {
      await started
    } finally {
      this.#starting.delete(id)
    }
    return id
  }

  /**
   * Takes up an unfinished run that is in the store and not in memory. No function of it runs before its next commit, so
   * what the caller asks of it at once, such as a pause, comes first.
   */
  async adopt(runId: string): Promise<ActorRun> {
    for (;;) {
      this.ensureOpen()
      const known = this.#live.get(runId)
      if (known) return known
      const adopting = this.#adopting.get(runId)
      if (adopting) await adopting
      else break
    }
    const outcome = (await this.#takeUpAll([runId])).get(runId)
    if (outcome instanceof ActorRun) return outcome
    if (outcome !== undefined) throw outcome
    const row = await this.#options.store.readRun(runId)
    if (!row) throw new RunNotFoundError(runId)
    throw new HoldfastError('run_not_open', `run ${runId} has ended as ${row.status}`, { runId, status: row.status })
  }

  /**
   * Changes a run by one write while it is not in memory, and takes it up where it is unfinished then. Changes of one
   * run follow one another; `plan` is given the run as it is stored and may refuse. `hold`: it is not taken up.
   */
  async change(
    runId: string,
    types: readonly string[],
    hold: boolean,
    plan: (stored: StoredRun) => Promise<RunWrite>,
  ): Promise<void> {
    this.ensureOpen()
    const earlier = this.#changes.get(runId) ?? Promise.resolve()
    const change = earlier.then(() => this.#change(runId, types, hold, plan))
    const settled = change.catch(() => {})
    this.#changes.set(runId, settled)
    try {
      await change
    } finally {
      if (this.#changes.get(runId) === settled) this.#changes.delete(runId)
    }
  }

  async #change(
    runId: string,
    types: readonly string[],
    hold: boolean,
    plan: (stored: StoredRun) => Promise<RunWrite>,
  ): Promise<void> {
    const live = this.#live.get(runId)
    if (live) {
      if (!isEnded(live.status)) throw stillGoesOn(runId, live.status)
      await live.nextResult()
    }
    const [stored] = await this.#options.store.load([runId], types)
    if (!stored) throw new RunNotFoundError(runId)
    await this.add(await plan(stored), hold)
  }

  /** Writes a run that is not in memory, and takes it up where it is unfinished, unless it is to be held. */
  async add(write: RunWrite, hold = false): Promise<void> {
    this.ensureOpen()
    const { store, services } = this.#options
    await store.commit(services.epoch, [write])
    services.announce({ id: write.runId }, write.journal ?? [])
    if (!hold && write.state && !isEnded(write.state.status)) await this.adopt(write.runId)
  }

  /** The definition that the run goes on with, and the children that it has started. */
  async factsOf({ run, ledger }: StoredRun): Promise<{
    definition: WorkflowDefinition
    children: ReadonlyMap<string, RunRow>
  }> {
    const { registry, store } = this.#options
    const children = new Map<string, RunRow>()
    for (const row of ledger) {
      if (row.kind !== 'child') continue
      const child = await store.readRun((JSON.parse(row.data) as { id: string }).id)
      if (child) children.set(child.id, child)
    }
    return { definition: registry.definitionFor(run), children }
  }

  async recover(): Promise<RecoveryReport> {
    this.ensureOpen()
    const recovered: string[] = []
    const skipped: { id: string; reason: string }[] = []
    const skip = (id: string, error: unknown): void =>
      void skipped.push({ id, reason: error instanceof Error ? error.message : String(error) })
    const { store, services } = this.#options
    const ids = (await store.unfinished({ status: awake })).filter(id => !this.#live.has(id))
    for (let from = 0; from < ids.length; from += recoveryPage) {
      for (const [id, outcome] of await this.#takeUpAll(ids.slice(from, from + recoveryPage))) {
        if (outcome instanceof ActorRun) recovered.push(id)
        else {
          skip(id, outcome)
          await this.#wakeParentOf(id)
        }
      }
    }
    if (!this.#wakesSleepers) await this.#lookAfterSleepers(recovered, skip)
    await services.pipeline.settled()
    return { recovered, skipped }
  }

  /** A run whose definition has changed waits for it, and says so to who lists the runs; a paused one stays paused. */
  async #leaveWaiting(run: RunRow, error: unknown): Promise<void> {
    if (!(error instanceof SnapshotError) || error.code !== 'workflow_changed' || run.status === 'paused') return
    const { store, services } = this.#options
    const [last] = await store.readJournal(run.id, { after: run.seq - 1, limit: 1 })
    const write = waitingForDefinition(run, last, error, services.clock.now())
    if (write) await store.commit(services.epoch, [write])
  }

  /** From now on sleeping runs are woken by their timers; says of the first of them whether they can be gone on with. */
  async #lookAfterSleepers(recovered: string[], skip: (id: string, error: unknown) => void): Promise<void> {
    const { store, registry } = this.#options
    this.#wakesSleepers = true
    for (const run of this.#live.values()) this.#parking.note(run)
    const ids = await store.unfinished({ status: asleep, limit: mostSleepersNamed })
    for (const { run } of await store.load(ids, [])) {
      if (this.#live.has(run.id)) continue
      try {
        registry.definitionFor(run)
        recovered.push(run.id)
        this.#sleeping++
      } catch (error) {
        this.#refused.add(run.id)
        await this.#leaveWaiting(run, error)
        skip(run.id, error)
        await this.#wakeParentOf(run.id)
      }
    }
    if (ids.length === mostSleepersNamed) this.#sleeping = Number.POSITIVE_INFINITY
    await this.#sleepers.open()
    this.#holdProcess()
  }

  /** Cancels a child whose parent has ended, in memory or not; one that has ended itself is left alone. */
  async cancelChild(childId: string, parentId: string): Promise<void> {
    const { store, services } = this.#options
    try {
      const row = this.#live.get(childId)?.spec ?? (await store.readRun(childId))
      if (row?.parent?.runId !== parentId || ('status' in row && isEnded(row.status as RunStatus))) return
      const run = await this.adopt(childId)
      run.cancel(`its parent ${parentId} has ended`)
      await run.durable()
    } catch (error) {
      services.log.warn(
        { runId: childId, error: encodeError(error) },
        `child run ${childId} could not be cancelled with its parent`,
      )
    }
  }

  /** The next end of a run. */
  async nextEnd(runId: string): Promise<RunResult> {
    for (;;) {
      const live = this.#live.get(runId)
      if (live) return live.nextResult()
      const row = await this.#options.store.readRun(runId)
      if (!row) throw new RunNotFoundError(runId)
      if (isEnded(row.status) && row.outcome !== null) return JSON.parse(row.outcome) as RunResult
      this.ensureOpen()
      // A run that was taken up while its row was read may have ended since.
      const adopting = this.#adopting.get(runId)
      if (adopting) await adopting
      else if (!this.#live.has(runId)) break
    }
    return new Promise((resolve, reject) => this.#await(runId, [{ resolve, reject }]))
  }

  /** The end of the run is durable: it leaves memory. */
  ended(runId: string): void {
    const run = this.#live.get(runId)
    this.#live.delete(runId)
    if (run) this.#parking.forget(run)
    this.#holdProcess()
    for (const { resolve } of this.#waiters.get(runId) ?? []) resolve(run?.result as RunResult)
    this.#waiters.delete(runId)
    const parent = run?.spec.parent?.runId
    if (parent !== undefined && this.#wakesSleepers && !this.#live.has(parent)) void this.#wake([parent])
    this.admit()
  }

  /** What the run did is durable: it may have begun to wait, or found out that it need not. */
  written(run: ActorRun): void {
    if (this.#wakesSleepers) this.#parking.note(run)
  }

  /** Runs that are not in memory as they only wait, newest first: as many as a tree can show. */
  async sleeping(): Promise<readonly RunRow[]> {
    const ids = await this.#options.store.unfinished({ status: asleep, limit: mostSleepersNamed })
    const stored = await this.#options.store.load(
      ids.filter(id => !this.#live.has(id)),
      [],
    )
    return stored.map(({ run }) => run)
  }

  /** A run that was held before it had begun waits for a place again. */
  readmit(runId: string): void {
    const run = this.#live.get(runId)
    if (!run) return
    if (this.#hasPlace()) run.launch()
    else this.#enqueue(run)
  }

  /** Gives free places to those who wait. */
  admit(): void {
    while (this.#queue.length > 0 && this.#working() < this.#options.places) {
      const run = this.#queue.shift() as ActorRun
      if (run.status === 'pending' && !run.detached) run.launch()
    }
  }

  /** Lets go of every run; who waits for a result hears `reason`. */
  close(reason: unknown): void {
    this.#closedBy ??= reason
    this.#parking.close()
    this.#sleepers.close()
    for (const run of this.#live.values()) run.detach(reason)
    this.#live.clear()
    this.#options.keepAlive.set(false)
    this.#queue.length = 0
    for (const waiters of this.#waiters.values()) for (const { reject } of waiters) reject(reason)
    this.#waiters.clear()
  }

  /** @throws why the runtime was closed */
  ensureOpen(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy
  }

  /** An id that no run has: chance may draw one twice, and a seeded chance does in every new process. */
  async freshId(workflow: string): Promise<string> {
    const { ids } = this.#options
    for (let draws = 0; draws < mostDraws; draws++) {
      const id = checkName(ids.run(workflow), 'the id of a run')
      if (this.#live.has(id) || this.#starting.has(id)) continue
      if ((await this.#options.store.readRun(id)) === undefined && !this.#starting.has(id)) return id
    }
    throw new RunConflictError(
      `${mostDraws} generated ids were all taken; give an id to start, or other \`ids\` to createRuntime`,
      { workflow },
    )
  }

  async #begin(run: ActorRun): Promise<void> {
    this.#hold(run)
    const launch = this.#hasPlace()
    run.create(launch)
    if (!launch) this.#enqueue(run)
    await run.durable()
  }

  /**
   * Takes up those that have not ended: a run, or why it cannot be. While this is under way nobody else takes them up,
   * and what was read of them stays true, since only a run in memory is written.
   */
  async #takeUpAll(runIds: readonly string[]): Promise<Map<string, unknown>> {
    const outcomes = new Map<string, unknown>()
    const mine = runIds.filter(id => !this.#live.has(id) && !this.#adopting.has(id) && !this.#starting.has(id))
    const { promise, resolve } = withResolvers()
    for (const id of mine) this.#adopting.set(id, promise)
    try {
      const loaded = await this.#load(mine, outcomes)
      const parents = await this.#endedParents(loaded)
      this.ensureOpen()
      for (const stored of loaded) {
        if (isEnded(stored.run.status)) continue
        const { id } = stored.run
        try {
          const fault = unreadable(stored)
          if (fault) throw await this.#condemn(stored, fault)
          outcomes.set(id, this.#takeUp(stored, parents))
        } catch (error) {
          await this.#leaveWaiting(stored.run, error)
          outcomes.set(id, error)
        }
      }
    } finally {
      for (const id of mine) this.#adopting.delete(id)
      resolve()
    }
    return outcomes
  }

  /** One run that the disk no longer gives back does not keep the others from being read. */
  async #load(runIds: readonly string[], outcomes: Map<string, unknown>): Promise<readonly StoredRun[]> {
    const { store } = this.#options
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
    const { services } = this.#options
    services.log.error({ runId: stored.run.id, error: encodeError(fault) }, `run ${stored.run.id} is quarantined`)
    const write = condemn(stored, fault, services.clock.now())
    await new Promise<void>((committed, reject) => {
      let pending: typeof write | undefined = write
      const takeWrite = (): typeof write | undefined => {
        const taken = pending
        pending = undefined
        return taken
      }
      services.pipeline.mark({ takeWrite, committed })
      services.pipeline.settled().catch(reject)
    })
    return fault
  }

  async #endedParents(loaded: readonly StoredRun[]): Promise<Map<string, RunRow>> {
    const ended = new Map<string, RunRow>()
    for (const parent of new Set(loaded.map(({ run }) => run.parent?.runId))) {
      const row = parent === undefined ? undefined : await this.#options.store.readRun(parent)
      if (row && isEnded(row.status)) ended.set(row.id, row)
    }
    return ended
  }

  /** A child whose parent ended while no process could cancel it is cancelled now. */
  #takeUp(stored: StoredRun, endedParents: ReadonlyMap<string, RunRow>): ActorRun {
    const run = this.#revive(stored)
    if (asleep.includes(stored.run.status)) this.#sleeping = Math.max(0, this.#sleeping - 1)
    const parent = stored.run.parent && endedParents.get(stored.run.parent.runId)
    const reopenedSince = (run.memory.amended.reopenedAt ?? 0) > (parent?.endedAt ?? 0)
    if (parent && run.options.onParentClose !== 'abandon' && !reopenedSince) {
      run.cancel(`its parent ${parent.id} has ended`)
    }
    return run
  }

  /** Brings sleeping runs back, since something has come that they may wait for. */
  async #wake(runIds: readonly string[]): Promise<void> {
    try {
      const woken: ActorRun[] = []
      for (const [id, outcome] of await this.#takeUpAll(runIds)) {
        if (outcome instanceof ActorRun) woken.push(outcome)
        else await this.#refuse(id, outcome)
      }
      await Promise.all(woken.map(run => run.durable()))
    } catch (error) {
      if (this.#closedBy === undefined)
        this.#options.services.log.warn({ error: encodeError(error) }, 'sleeping runs could not be woken')
    }
  }

  async #refuse(runId: string, error: unknown): Promise<void> {
    this.#refused.add(runId)
    this.#options.services.log.warn({ runId, error: encodeError(error) }, `run ${runId} could not be woken`)
    await this.#wakeParentOf(runId)
  }

  /** The workflow of a child may be known to the code of its parent alone, which gives it again when it runs. */
  async #wakeParentOf(runId: string): Promise<void> {
    const parent = (await this.#options.store.readRun(runId))?.parent?.runId
    if (parent !== undefined && !this.#live.has(parent) && !this.#refused.has(parent)) await this.#wake([parent])
  }

  /** The run leaves memory: from here on the store has it, until something moves it. */
  #park(run: ActorRun): void {
    this.#live.delete(run.id)
    this.#sleeping++
    const { nextDueAt } = run
    this.#await(run.id, run.leave())
    if (nextDueAt !== undefined) this.#sleepers.note(nextDueAt)
    this.#holdProcess()
  }

  #await(runId: string, waiters: readonly Waiter[]): void {
    if (waiters.length > 0) this.#waiters.set(runId, [...(this.#waiters.get(runId) ?? []), ...waiters])
  }

  #holdProcess(): void {
    this.#options.keepAlive.set(this.#live.size > 0 || this.#sleeping > 0)
  }

  #revive(stored: StoredRun): ActorRun {
    const { registry, services } = this.#options
    const definition = registry.definitionFor(stored.run)
    const run = new ActorRun(stored.run.id, definition, specOf(stored.run), services, migrated(stored, definition))
    this.#hold(run)
    const hasNotBegun = stored.run.status === 'waiting' && stored.run.snapshot === null
    if (stored.run.status === 'pending' || hasNotBegun) {
      run.status = 'pending'
      run.timers.rearm()
      if (this.#hasPlace()) run.launch()
      else this.#enqueue(run)
    } else run.revive()
    return run
  }

  #hold(run: ActorRun): void {
    this.#live.set(run.id, run)
    this.#holdProcess()
  }

  #enqueue(run: ActorRun): void {
    const priority = run.options.priority ?? 0
    const place = this.#queue.findIndex(other => (other.options.priority ?? 0) < priority)
    this.#queue.splice(place < 0 ? this.#queue.length : place, 0, run)
  }

  #hasPlace(): boolean {
    return this.#live.size <= this.#options.places || this.#working() < this.#options.places
  }

  #working(): number {
    let working = 0
    for (const { status } of this.#live.values()) {
      if (status === 'running' || status === 'recovering' || status === 'cancelling') working++
    }
    return working
  }
}

/** Who only wants the run to go on does not mind that it has ended in the meantime. */
function unlessEnded(error: unknown): void {
  if ((error as { code?: string }).code !== 'run_not_open') throw error
}

const stillGoesOn = (runId: string, status: RunStatus): HoldfastError =>
  new HoldfastError('run_open', `run ${runId} has not ended, it is ${status}, so this does not apply to it`, {
    runId,
    status,
  })

/** One id is one run. @throws RunConflictError when another is asked for under it */
function refuseOther(id: string, known: NewRun, asked: NewRun, definition: WorkflowDefinition): void {
  if (known.workflow !== asked.workflow) {
    throw new RunConflictError(
      `run ${id} exists and is of workflow '${known.workflow}', not '${asked.workflow}'; choose another id`,
      { runId: id, workflow: known.workflow },
    )
  }
  if (!isSameInput(definition, known.input, asked.input)) {
    throw new RunConflictError(
      `run ${id} exists and was started with another input; choose another id, or start it with the same input`,
      { runId: id },
    )
  }
}

function specOf(row: RunRow): NewRun {
  const { workflow, version, definitionHash, source, input, options, tags, createdAt, parent } = row
  return { workflow, version, definitionHash, source, input, options, tags, createdAt, parent }
}

/** The stored run with its snapshot turned into one of the definition that it goes on with. */
function migrated(stored: StoredRun, definition: WorkflowDefinition): StoredRun {
  const { run } = stored
  const same = run.definitionHash === definition.hash && run.version === definition.version
  if (same || !definition.migrate || run.snapshot === null) return stored
  const snapshot = definition.migrate(JSON.parse(run.snapshot), { version: run.version, hash: run.definitionHash })
  return {
    ...stored,
    run: {
      ...run,
      snapshot: encodeJson(snapshot, `what \`migrate\` of workflow '${definition.name}' returned`) ?? null,
    },
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}
