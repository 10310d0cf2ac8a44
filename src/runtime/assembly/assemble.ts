/**
 * Joins the parts of a runtime; each knows only what it is handed. Nothing runs yet: the tree is started and what is
 * unfinished is taken up by who asked for the parts.
 */
import { encodeError } from '../../errors.ts'
import type { ResponseCache } from '../../resilience/response-cache.ts'
import type { Supervisor } from '../../supervisor/create-supervisor.ts'
import { createMetricsCollector, type MetricsCollector } from '../../telemetry/metrics.ts'
import { createRunActors } from '../actors/run-actors.ts'
import { createSupervisionTree } from '../actors/supervision-tree.ts'
import type { Run } from '../api.ts'
import type { ModelParts } from '../calls/model-parts.ts'
import { createJournalFeed, type JournalFeed } from '../commits/journal-feed.ts'
import { createKeepAlive } from '../commits/keep-alive.ts'
import { Operations } from '../operations/operations.ts'
import { createRetention, type Retention } from '../operations/retention.ts'
import { createRegistry, type Registry } from '../registry.ts'
import type { RunServices } from '../run/live.ts'
import { createRunHandle } from '../run-handle.ts'
import { Runs } from '../runs/runs.ts'
import type { ResolvedOptions } from '../runtime-options.ts'
import { createChildren } from './children.ts'
import { createRunServices } from './run-services.ts'
import { createSystemHealth, type SystemHealth } from './system-health.ts'

/** What a runtime is made of. */
export interface RuntimeParts {
  readonly options: ResolvedOptions
  readonly supervisor: Supervisor
  readonly health: SystemHealth
  readonly cache: ResponseCache
  readonly metrics: MetricsCollector
  readonly services: RunServices
  readonly registry: Registry
  readonly runs: Runs
  readonly feed: JournalFeed
  readonly operations: Operations
  readonly retention: Retention
  /** What a user holds of the run. */
  readonly handleOf: (runId: string, workflow: string) => Run
}

/** @param epoch of the claim of the store */
export function assemble(
  options: ResolvedOptions,
  epoch: number,
  models: ModelParts,
  onStoreFailure: (error: unknown) => void,
): RuntimeParts {
  const { clock, random, store, log, profiles, remedies } = options
  const health = createSystemHealth(options, id => supervisor.supervisor(id))
  const supervisor: Supervisor = createSupervisionTree({
    clock,
    random,
    monitors: health.monitors,
    withDegradation: !options.minimal,
  })
  const metrics = createMetricsCollector(clock)
  const feed = createJournalFeed(store, error =>
    log.warn({ error: encodeError(error) }, 'a listener of journal events threw'),
  )
  const handleOf = (runId: string, workflow: string): Run =>
    createRunHandle(runId, workflow, { store, runs, feed, operations })
  const services = createRunServices({
    options,
    epoch,
    models,
    health,
    metrics,
    actors: createRunActors(() => supervisor.supervisor('runs'), options),
    children: createChildren({ options, runs: () => runs, handleOf }),
    feed,
    runs: () => runs,
    onStoreFailure,
  })
  const registry = createRegistry(options.workflows, { profiles, remedies })
  const runs: Runs = new Runs({
    store,
    registry,
    services,
    ids: options.ids,
    places: options.runPlaces,
    keepAlive: createKeepAlive(),
  })
  const operations = new Operations({ store, runs, registry, clock })
  const retention = createRetention({ store, epoch, clock, log, policy: options.retention })
  const { cache } = models
  return {
    options,
    supervisor,
    health,
    cache,
    metrics,
    services,
    registry,
    runs,
    feed,
    operations,
    retention,
    handleOf,
  }
}
