/**
 * The methods of a runtime, as users and operators call them. Each checks what it is given and hands on to the part that
 * does it; a run is given back as its handle.
 */
import { z } from 'zod'
import { HoldfastError, OptionsError, RunNotFoundError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { Duration } from '../time/duration.ts'
import { type AnyWorkflow, definitionOf, isWorkflow, sourceOf } from '../workflow/definition.ts'
import { treeOfSnapshot } from './actors/stored-tree.ts'
import { runNode, supervisorNode } from './actors/tree.ts'
import type { CloseOptions, ListOptions, Run, StartOptions } from './api.ts'
import type { RuntimeParts } from './assembly/assemble.ts'
import type { Closing } from './assembly/closing.ts'
import { type CircuitOperations, circuitOperations } from './calls/circuits.ts'
import { explainRun } from './explain/explain-run.ts'
import type { ExplainOptions } from './explain/explanation.ts'
import { listRuns } from './listing.ts'
import { backupOf } from './operations/backup.ts'
import { diagnosticsOf } from './operations/diagnostics.ts'
import type {
  CompleteOptions,
  ForkedRun,
  ForkOptions,
  OperatedRuntime,
  OperatorNote,
  QuarantineListOptions,
  RetryOptions,
  StageNote,
} from './operations/operations-api.ts'
import { noStartOptions, resolveStartOptions } from './runtime-options.ts'

const eventsSchema = z.strictObject({ from: z.int().min(0).optional() })

const closeSchema = z.strictObject({
  grace: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
})

export class HoldfastRuntime implements OperatedRuntime {
  readonly stage = {
    skip: (runId: string, stage: string, options: StageNote) =>
      this.#after(runId, this.#parts.operations.skip(runId, stage, options)),
    redo: (runId: string, stage: string, options: StageNote) =>
      this.#after(runId, this.#parts.operations.redo(runId, stage, options)),
    complete: (runId: string, stage: string, options: CompleteOptions) =>
      this.#after(runId, this.#parts.operations.complete(runId, stage, options)),
  }
  readonly quarantine = {
    list: (options?: QuarantineListOptions) => this.#parts.operations.quarantined(options),
    show: (runId: string) => this.#parts.operations.evidence(runId),
    release: (runId: string, options?: RetryOptions) =>
      this.#after(runId, this.#parts.operations.release(runId, options)),
    discard: (runId: string, options?: OperatorNote) => this.#parts.operations.discard(runId, options),
  }
  readonly circuits: CircuitOperations
  readonly #parts: RuntimeParts
  readonly #end: Closing['close']

  /** @param end closes the parts in order */
  constructor(parts: RuntimeParts, end: Closing['close']) {
    this.#parts = parts
    this.#end = end
    this.circuits = circuitOperations(parts.health.circuits)
  }

  async start(workflow: AnyWorkflow, input?: unknown, given: StartOptions = noStartOptions): Promise<Run<never>> {
    const { options, runs } = this.#parts
    runs.ensureOpen()
    if (!isWorkflow(workflow)) {
      throw new OptionsError(
        'start: the first argument must be a workflow, made by defineWorkflow or workflowFromMachine',
      )
    }
    const { clock, profiles, budget, overrides } = options
    const start = resolveStartOptions(given, {
      now: clock.now(),
      profiles,
      budget,
      overrides,
      source: sourceOf(workflow),
      workflow: definitionOf(workflow),
    })
    return this.#handle(await runs.start(workflow, input, start), workflow.name)
  }

  async get(runId: string, workflow?: AnyWorkflow): Promise<Run<never>> {
    const { options, registry, runs } = this.#parts
    runs.ensureOpen()
    if (workflow !== undefined) {
      if (!isWorkflow(workflow)) throw new OptionsError('get: the second argument must be a workflow')
      registry.add(workflow)
    }
    const live = runs.find(runId)
    if (live) return this.#handle(runId, live.definition.name)
    const row = await options.store.readRun(runId)
    if (!row) throw new RunNotFoundError(runId)
    return this.#handle(runId, row.workflow)
  }

  retry(runId: string, options: RetryOptions = {}): Promise<Run<never>> {
    return this.#after(runId, this.#parts.operations.retry(runId, options))
  }

  async fork(runId: string, options: ForkOptions): Promise<ForkedRun> {
    const { id, plan } = await this.#parts.operations.fork(runId, options)
    return Object.assign(await this.get(id), { plan })
  }

  async import(file: string, options: { readonly id?: string | undefined } = {}): Promise<Run<never>> {
    return this.get(await this.#parts.operations.import(file, options))
  }

  async backup(file: string): Promise<void> {
    this.#parts.runs.ensureOpen()
    await backupOf(this.#parts.options.store, file)
  }

  async list(given: ListOptions = {}) {
    await this.#written()
    return listRuns(this.#parts.options.store, given)
  }

  recover() {
    return this.#parts.runs.recover()
  }

  async tree() {
    const { supervisor, runs } = this.#parts
    const hasEnded = supervisor.whichChildren().every(({ status }) => status === 'stopped')
    const sleeping = hasEnded ? [] : await runs.sleeping()
    const nodes = [...[...runs.all()].map(runNode), ...sleeping.map(treeOfSnapshot)]
    return supervisorNode(supervisor, hasEnded ? 'stopped' : 'running', nodes)
  }

  async explain(runId: string, options: ExplainOptions = {}) {
    await this.#written()
    return explainRun(this.#parts.options.store, runId, options)
  }

  async diagnostics(runId: string) {
    await this.#written()
    const { store, clock } = this.#parts.options
    return diagnosticsOf(store, runId, clock.now())
  }

  events(options: { readonly from?: number | undefined } = {}) {
    const { feed } = this.#parts
    const { from } = parseOptions(eventsSchema, options, 'events')
    return from === undefined ? feed.followAll() : feed.followAllFrom(from)
  }

  async degradation() {
    return this.#parts.health.report()
  }

  async metrics() {
    return this.#parts.metrics.export()
  }

  storeDescription() {
    return this.#parts.options.store.describe()
  }

  async close(given: CloseOptions = {}): Promise<void> {
    const { grace } = parseOptions(closeSchema, given, 'close')
    return this.#end(
      grace,
      new HoldfastError('runtime_closed', 'the runtime was closed; the run goes on when it is recovered'),
    )
  }

  /** What was told of a run is in the store, where it is read next; a store that has failed is read as it is. */
  async #written(): Promise<void> {
    await this.#parts.services.pipeline.durable().catch(() => {})
  }

  /** The run, once the operation on it is durable. */
  async #after(runId: string, operation: Promise<void>): Promise<Run<never>> {
    await operation
    return this.get(runId)
  }

  /** The type of its output is known to who asks. */
  #handle(id: string, workflow: string): Run<never> {
    return this.#parts.handleOf(id, workflow) as Run<never>
  }
}
