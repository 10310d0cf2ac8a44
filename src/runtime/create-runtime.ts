/**
 * `createRuntime` puts the parts together: the store, the supervision tree, the commit pipeline and the runs in memory.
 * It is the only place where they are joined; each part knows only what it is handed.
 */

import { hostname } from 'node:os'
import type { AnyActorScope } from 'xstate'
import { z } from 'zod'
import { encodeError, HoldfastError, OptionsError, RunNotFoundError } from '../errors.ts'
import { builtInChecks } from '../health/checks.ts'
import { createDegradation } from '../health/degradation.ts'
import { createHealthMonitors } from '../health/monitors.ts'
import { parseOptions } from '../options.ts'
import { createKeyRests } from '../resilience/call-gate.ts'
import type { ResponseCache } from '../resilience/response-cache.ts'
import type { Supervisor } from '../supervisor/create-supervisor.ts'
import { createMetricsCollector } from '../telemetry/metrics.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type AnyWorkflow, definitionOf, isWorkflow, sourceOf } from '../workflow/definition.ts'
import { type Binding, createBinding } from './actors/binding.ts'
import { childIdOf } from './actors/child-name.ts'
import { createSnapshotText } from './actors/snapshot-text.ts'
import { treeOfSnapshot } from './actors/stored-tree.ts'
import { createSupervisionTree } from './actors/supervision-tree.ts'
import { runNode, supervisorNode } from './actors/tree.ts'
import type { CloseOptions, DegradationReport, ListOptions, Run, RuntimeOptions, StartOptions } from './api.ts'
import { fileShelf, noShelf } from './calls/circuit-shelf.ts'
import { type CircuitOperations, circuitOperations, createSupervisedCircuits } from './calls/circuits.ts'
import { createIncidents } from './calls/incidents.ts'
import { createModelCalls } from './calls/model-calls.ts'
import { type ModelParts, modelPartsOf } from './calls/model-parts.ts'
import { chaosHook } from './chaos-hook.ts'
import { createCommandDesk } from './commands.ts'
import { createCommitPipeline } from './commits/commit-pipeline.ts'
import { createJournalFeed } from './commits/journal-feed.ts'
import { createKeepAlive } from './commits/keep-alive.ts'
import { createReadyQueue } from './commits/ready-queue.ts'
import { createTimerWheel } from './commits/timer-wheel.ts'
import { dependentChildren, wakeRelatives } from './commits/wake.ts'
import { explainRun } from './explain/explain-run.ts'
import type { ExplainOptions } from './explain/explanation.ts'
import { listRuns } from './listing.ts'
import { backupOf } from './operations/backup.ts'
import { diagnosticsOf } from './operations/diagnostics.ts'
import { Operations } from './operations/operations.ts'
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
import { createRetention, type Retention } from './operations/retention.ts'
import { createRegistry } from './registry.ts'
import { createBaselines } from './run/baselines.ts'
import type { LiveRun, RunServices, SupervisedRun } from './run/live.ts'
import { createPlaces } from './run/places.ts'
import { waitsOf } from './run/waiting.ts'
import { createRunHandle } from './run-handle.ts'
import { Runs } from './runs/runs.ts'
import { noStartOptions, type ResolvedOptions, resolveRuntimeOptions, resolveStartOptions } from './runtime-options.ts'
import { createStageRules } from './stage/stage-rules.ts'

/**
 * A runtime that owns its store. Unfinished runs of the workflows it was given are taken up before it resolves, unless
 * `recover` is false.
 * @throws OptionsError; StoreError `store_owned store_corrupt store_readonly store_full store_newer`
 */
export async function createRuntime(given: RuntimeOptions = {}): Promise<OperatedRuntime> {
  const options = await resolveRuntimeOptions(given)
  const { epoch } = await options.store.claim({ pid: process.pid, host: hostname(), at: options.clock.now() })
  let runtime: HoldfastRuntime | undefined
  try {
    runtime = new HoldfastRuntime(options, epoch, await modelPartsOf(options))
    await runtime.begin()
    return runtime
  } catch (error) {
    await (runtime ?? options.store).close()
    throw error
  }
}

const eventsSchema = z.strictObject({ from: z.int().min(1).optional() })

const closeSchema = z.strictObject({
  grace: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
})

class HoldfastRuntime implements OperatedRuntime {
  readonly stage = {
    skip: (runId: string, stage: string, options: StageNote) =>
      this.#after(runId, this.#operations.skip(runId, stage, options)),
    redo: (runId: string, stage: string, options: StageNote) =>
      this.#after(runId, this.#operations.redo(runId, stage, options)),
    complete: (runId: string, stage: string, options: CompleteOptions) =>
      this.#after(runId, this.#operations.complete(runId, stage, options)),
  }
  readonly quarantine = {
    list: (options?: QuarantineListOptions) => this.#operations.quarantined(options),
    show: (runId: string) => this.#operations.evidence(runId),
    release: (runId: string, options?: RetryOptions) => this.#after(runId, this.#operations.release(runId, options)),
    discard: (runId: string, options?: OperatorNote) => this.#operations.discard(runId, options),
  }

  readonly #options: ResolvedOptions
  readonly #supervisor: Supervisor
  readonly #services: RunServices
  readonly #runs: Runs
  readonly #registry
  readonly #feed
  readonly #desk
  readonly #metrics
  readonly #operations: Operations
  readonly #retention: Retention
  readonly #cache: ResponseCache
  readonly #degradation: () => DegradationReport
  readonly circuits: CircuitOperations
  #closing: Promise<void> | undefined

  constructor(options: ResolvedOptions, epoch: number, parts: ModelParts) {
    this.#options = options
    const { clock, random, store, log, remedies, profiles } = options
    const onDefect = (error: unknown): void =>
      log.error({ error: encodeError(error) }, 'a defect of Holdfast: please report it')
    const defer = (work: () => void): void => void setImmediate(work)
    const monitors = createHealthMonitors(options.minimal ? [] : [...builtInChecks, ...options.checks], clock)
    const monitored = new Set(monitors.specs.map(({ id }) => id))
    const metrics = createMetricsCollector(clock)
    const binding = createBinding(
      () => options.inspect !== undefined,
      (scope, run) => this.#watch(scope, run),
    )
    const ready = createReadyQueue({ defer, onDefect })
    const pipeline = createCommitPipeline({
      store,
      epoch,
      defer,
      now: () => clock.now(),
      isIdle: () => ready.idle,
      onFailure: error => this.#serviceFailed('store', error),
    })
    this.#supervisor = createSupervisionTree({
      clock,
      random,
      monitors: monitors.specs,
      withDegradation: !options.minimal,
    })
    const degradation = createDegradation(() => this.#supervisor.supervisor('monitors'), clock)
    const { besideStore } = options
    const incidents = createIncidents(({ type, incident: { circuit } }) => {
      if (type === 'incident.closed') return degradation.recovered(circuit)
      degradation.report(circuit, `circuit '${circuit}' is open: what it stands for is left alone for a while`)
      log.warn({ circuit }, `circuit '${circuit}' has opened`)
    })
    const shelf = besideStore === undefined ? noShelf : fileShelf(`${besideStore}.circuits.json`)
    for (const { name, state, context } of shelf.read().values()) {
      if (state === 'open' || state === 'half-open') incidents.resume(name, context.since)
    }
    const circuits = createSupervisedCircuits({
      supervisor: () => this.#supervisor.supervisor('providers'),
      clock,
      shelf,
      onEvent: incidents.follow,
    })
    const { providers, chaos } = options
    this.#cache = parts.cache
    this.circuits = circuitOperations(circuits)
    this.#degradation = () => ({
      level: degradation.level(),
      components: degradation.components(),
      incidents: incidents.list(),
    })
    this.#services = {
      epoch,
      clock,
      random,
      ready,
      pipeline,
      log,
      chaos: chaos && chaosHook(chaos, () => circuits.list()),
      remedies,
      metrics,
      wheel: createTimerWheel(clock, work => ready.push(work)),
      attempts: createPlaces(options.stagePlaces),
      rulesOf: createStageRules(profiles, options.overrides),
      baselines: createBaselines(store),
      snapshotText: createSnapshotText(),
      supervise: run => this.#supervise(run, binding),
      dismiss: run => {
        const runs = this.#supervisor.supervisor('runs')
        runs
          .terminateChild(childIdOf(run.id))
          .catch(error => log.error({ error: encodeError(error) }, `the actors of run ${run.id} could not be stopped`))
      },
      readmit: run => this.#runs.readmit(run.id),
      preflight: async (cwd, signal) => {
        const found = await monitors.preflight(cwd, signal, id => this.#supervisor.supervisor('monitors').child(id))
        for (const { name, healthy } of found) if (healthy) degradation.recovered(name)
        return { healthy: found.every(monitor => monitor.healthy || !monitor.critical), monitors: found }
      },
      generate: createModelCalls({ providers, circuits, ...parts, rests: createKeyRests(), incidents }),
      findRun: runId => this.#runs.find(runId),
      degraded: (part, run) => degradation.report(part.component ?? `${run.id}/${part.stage ?? ''}`, part.reason),
      systemState: () => ({ mode: options.minimal ? 'minimal' : 'full', degradation: degradation.level() }),
      waitsOf,
      announce: (run, rows) => {
        this.#feed.announce(run.id, rows)
        const live = this.#runs.find(run.id)
        if (live) this.#runs.written(live)
        this.#runs.admit()
      },
      ended: run => {
        for (const { component, stage } of run.memory.degraded) {
          if (!monitored.has(component ?? '')) degradation.recovered(component ?? `${run.id}/${stage ?? ''}`)
        }
        this.#runs.ended(run.id)
      },
      startChild: async (parent, stage, id, workflow, input, { onParentClose, budget }) => {
        const start = resolveStartOptions(
          { budget: budget as never },
          {
            now: clock.now(),
            profiles,
            budget: undefined,
            overrides: { ...options.overrides, ...parent.options.overrides },
            source: sourceOf(workflow),
            workflow: definitionOf(workflow),
          },
        )
        const { overrides } = parent.options
        const kept = {
          ...start.kept,
          ...(overrides === undefined ? {} : { overrides }),
          cwd: parent.options.cwd,
          onParentClose,
        }
        const runId = await this.#runs.start(workflow, input, { ...start, id, kept }, { runId: parent.id, stage })
        return this.#childHandle(runId, workflow.name)
      },
      closeChildren: run => this.#closeChildren(run),
    }
    this.#metrics = metrics
    this.#registry = createRegistry(options.workflows, profiles)
    this.#runs = new Runs({
      store,
      registry: this.#registry,
      services: this.#services,
      ids: options.ids,
      places: options.runPlaces,
      keepAlive: createKeepAlive(),
    })
    this.#feed = createJournalFeed(store, error =>
      log.warn({ error: encodeError(error) }, 'a listener of journal events threw'),
    )
    this.#operations = new Operations({ store, runs: this.#runs, registry: this.#registry, clock })
    this.#retention = createRetention({ store, epoch, clock, log, policy: options.retention })
    this.#desk = createCommandDesk({ store, epoch, log, runtime: this })
  }

  /** Starts the tree and takes up what is unfinished. */
  async begin(): Promise<void> {
    await this.#supervisor.start()
    await this.#retention.begin()
    const { baselines } = this.#services
    await Promise.all(this.#options.workflows.map(({ name, version }) => baselines.learn({ workflow: name, version })))
    if (!this.#options.recover) return
    const { skipped } = await this.#runs.recover()
    for (const { id, reason } of skipped) this.#options.log.warn({ runId: id }, `run ${id} was not taken up: ${reason}`)
  }

  async start(workflow: AnyWorkflow, input?: unknown, given: StartOptions = noStartOptions): Promise<Run<never>> {
    this.#runs.ensureOpen()
    if (!isWorkflow(workflow)) {
      throw new OptionsError(
        'start: the first argument must be a workflow, made by defineWorkflow or workflowFromMachine',
      )
    }
    const { clock, profiles, budget, overrides } = this.#options
    const start = resolveStartOptions(given, {
      now: clock.now(),
      profiles,
      budget,
      overrides,
      source: sourceOf(workflow),
      workflow: definitionOf(workflow),
    })
    return this.#handle(await this.#runs.start(workflow, input, start), workflow.name)
  }

  async get(runId: string, workflow?: AnyWorkflow): Promise<Run<never>> {
    this.#runs.ensureOpen()
    if (workflow !== undefined) {
      if (!isWorkflow(workflow)) throw new OptionsError('get: the second argument must be a workflow')
      this.#registry.add(workflow)
    }
    const live = this.#runs.find(runId)
    if (live) return this.#handle(runId, live.definition.name)
    const row = await this.#options.store.readRun(runId)
    if (!row) throw new RunNotFoundError(runId)
    return this.#handle(runId, row.workflow)
  }

  retry(runId: string, options: RetryOptions = {}): Promise<Run<never>> {
    return this.#after(runId, this.#operations.retry(runId, options))
  }

  async fork(runId: string, options: ForkOptions): Promise<ForkedRun> {
    const { id, plan } = await this.#operations.fork(runId, options)
    return Object.assign(await this.get(id), { plan })
  }

  async import(file: string, options: { readonly id?: string | undefined } = {}): Promise<Run<never>> {
    return this.get(await this.#operations.import(file, options))
  }

  async backup(file: string): Promise<void> {
    this.#runs.ensureOpen()
    await backupOf(this.#options.store, file)
  }

  async list(given: ListOptions = {}) {
    return listRuns(this.#options.store, given)
  }

  recover() {
    return this.#runs.recover()
  }

  async tree() {
    const sleeping = await this.#runs.sleeping()
    return supervisorNode(this.#supervisor, [...[...this.#runs.all()].map(runNode), ...sleeping.map(treeOfSnapshot)])
  }

  explain(runId: string, options: ExplainOptions = {}) {
    return explainRun(this.#options.store, runId, options)
  }

  diagnostics(runId: string) {
    return diagnosticsOf(this.#options.store, runId, this.#options.clock.now())
  }

  events(options: { readonly from?: number | undefined } = {}) {
    const { from } = parseOptions(eventsSchema, options, 'events')
    return from === undefined ? this.#feed.followAll() : this.#feed.followAllFrom(from)
  }

  async degradation() {
    return this.#degradation()
  }

  async metrics() {
    return this.#metrics.export()
  }

  storeDescription() {
    return this.#options.store.describe()
  }

  async close(given: CloseOptions = {}): Promise<void> {
    const { grace } = parseOptions(closeSchema, given, 'close')
    this.#closing ??= this.#close(
      grace === undefined ? 0 : toMs(grace, 'close: grace'),
      new HoldfastError('runtime_closed', 'the runtime was closed; the run goes on when it is recovered'),
    )
    return this.#closing
  }

  async #close(graceMs: number, reason: unknown): Promise<void> {
    const { pipeline, attempts, wheel, clock } = this.#services
    this.#retention.stop()
    await this.#desk.stop()
    attempts.shut()
    if (graceMs > 0 && pipeline.failure === undefined) await attempts.idleWithin(graceMs, clock)
    if (pipeline.failure === undefined) {
      for (const run of this.#runs.all()) run.stopCleanly()
      await pipeline.settled().catch(() => {})
    }
    this.#runs.close(pipeline.failure ?? reason)
    this.#feed.close()
    wheel.close()
    this.#cache.close()
    await this.#supervisor.stop()
    await this.#options.store.close()
  }

  /** The run, once the operation on it is durable. */
  async #after(runId: string, operation: Promise<void>): Promise<Run<never>> {
    await operation
    return this.get(runId)
  }

  /** The type of its output is known to who asks. */
  #handle(id: string, workflow: string): Run<never> {
    return createRunHandle(id, workflow, {
      store: this.#options.store,
      runs: this.#runs,
      feed: this.#feed,
      operations: this.#operations,
    }) as Run<never>
  }

  #childHandle(id: string, workflow: string) {
    const handle = this.#handle(id, workflow)
    return {
      result: () => handle.result(),
      signal: (name: string, payload?: unknown) => handle.signal(name, payload),
      cancel: (reason?: string) => handle.cancel(reason),
    }
  }

  /** A run of a machine of the user's own hears that something in it has changed; the inspect listener hears everything. */
  #watch({ self, system }: AnyActorScope, run: SupervisedRun): void {
    const { inspect, log } = this.#options
    if (run.definition.origin === 'machine') system.inspect(event => event.type === '@xstate.snapshot' && run.touch())
    if (!inspect) return
    const tell = (event: { type: string; actorRef?: unknown }): void => {
      try {
        inspect(event)
      } catch (error) {
        log.warn({ error: encodeError(error) }, 'the inspect listener threw')
      }
    }
    tell({ type: '@xstate.actor', actorRef: self })
    system.inspect(tell)
  }

  #supervise(run: SupervisedRun, binding: Binding): void {
    const started = this.#supervisor
      .supervisor('runs')
      .startChild({ id: childIdOf(run.id), restart: 'temporary', logic: binding.logicOf(run) })
    const { root } = run
    started.catch(error => {
      if (run.root === root) run.broken(error)
    })
  }

  #closeChildren(run: LiveRun): void {
    const children = dependentChildren(run)
    wakeRelatives(run, children)
    for (const id of children) run.afterCommit(() => void this.#runs.cancelChild(id, run.id))
  }

  /** A service failed: its actor ends, the failure escalates to the root, and the runtime lets go of everything. */
  #serviceFailed(name: string, error: unknown): void {
    this.#options.log.error(
      { error: encodeError(error) },
      `the ${name} failed; what was not acknowledged is done again at the next start`,
    )
    this.#supervisor.supervisor('services').child(name).send({ type: 'FAILED', error })
    this.#closing ??= this.#close(0, error)
    this.#closing.catch(failure =>
      this.#options.log.error({ error: encodeError(failure) }, 'the runtime could not be closed in order'),
    )
  }
}
