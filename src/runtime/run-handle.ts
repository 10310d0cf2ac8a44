/** What a user holds of a run: valid whether or not the run is in memory, as it is found by its id. */

import { z } from 'zod'
import { RunNotFoundError } from '../errors.ts'
import { checkFunction, parseOptions } from '../options.ts'
import { isEnded, type RunStatus, type Store } from '../store/store.ts'
import type { JournalEvent } from '../telemetry/catalogue.ts'
import type { EventsOptions, ResumeOptions, Run, RunResult, Subscription } from './api.ts'
import type { JournalFeed } from './commits/journal-feed.ts'
import { refusalOfEnded } from './operations/ended-run.ts'
import { resumeSchema } from './operations/operation-options.ts'
import type { Operations } from './operations/operations.ts'
import type { KeptOptions } from './run/kept-options.ts'
import type { ActorRun } from './run/live-run.ts'
import type { Runs } from './runs/runs.ts'
import { acceptedPayload } from './signal-payload.ts'

export interface HandleParts {
  readonly store: Store
  readonly runs: Runs
  readonly feed: JournalFeed
  readonly operations: Operations
}

export function createRunHandle(id: string, workflow: string, parts: HandleParts): Run {
  return new RunHandle(id, workflow, parts)
}

const eventsSchema = z.strictObject({ from: z.int().min(0).optional() })

class RunHandle implements Run {
  readonly id: string
  readonly workflow: string
  readonly #parts: HandleParts

  constructor(id: string, workflow: string, parts: HandleParts) {
    this.id = id
    this.workflow = workflow
    this.#parts = parts
  }

  async status(): Promise<RunStatus> {
    const live = this.#parts.runs.find(this.id)
    if (live) return live.status
    const row = await this.#parts.store.readRun(this.id)
    if (!row) throw new RunNotFoundError(this.id)
    return row.status
  }

  result(): Promise<RunResult> {
    return this.#parts.runs.nextEnd(this.id)
  }

  async cancel(reason?: string): Promise<void> {
    await this.#command(run => run.cancel(reason ?? null), 'cancelled')
  }

  async pause(reason?: string): Promise<void> {
    await this.#command(run => run.pause(reason ?? null))
  }

  async resume(options: ResumeOptions = {}): Promise<void> {
    const asked = parseOptions(resumeSchema, options, 'resume')
    // What is in memory is resumed at once, so that commands keep the order in which they were given.
    const live = this.#parts.runs.find(this.id)
    const goesOn = live !== undefined && !isEnded(live.status) && asked.budget === undefined
    if (!goesOn && (await this.#parts.operations.resumeWithBudget(this.id, asked))) return
    await this.#command(run => run.resume())
  }

  async signal(name: string, payload?: unknown): Promise<void> {
    await this.#command(run => run.waits.accept(name, acceptedPayload(run.definition, name, payload)))
  }

  subscribe(listener: (event: JournalEvent) => void): Subscription {
    checkFunction(listener, 'subscribe: its argument')
    return this.#parts.feed.subscribe(this.id, listener)
  }

  events(options: EventsOptions = {}): AsyncIterable<JournalEvent> {
    const { from } = parseOptions(eventsSchema, options, 'events')
    return this.#parts.feed.follow(
      this.id,
      from ?? 1,
      async () => isEnded(await this.status()) && !this.#parts.runs.find(this.id),
    )
  }

  /** Carries the command out on the live run, taking it up from the store first; resolves when it is durable. */
  async #command(work: (run: ActorRun) => void, alreadyThere?: RunStatus): Promise<void> {
    const { runs, store } = this.#parts
    const live = runs.find(this.id)
    if (!live) {
      const row = await store.readRun(this.id)
      if (!row) throw new RunNotFoundError(this.id)
      if (row.status === alreadyThere) return
      if (isEnded(row.status)) {
        const { imported } = JSON.parse(row.options) as KeptOptions
        throw refusalOfEnded({ id: this.id, status: row.status, isImported: imported !== undefined })
      }
    }
    const run = live ?? (await runs.adopt(this.id))
    if (isEnded(run.status)) {
      if (run.status === alreadyThere) return run.durable()
      throw refusalOfEnded({ id: this.id, status: run.status, isImported: false })
    }
    work(run)
    await run.durable()
  }
}
