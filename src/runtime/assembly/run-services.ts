/** What every run is handed of the runtime around it, joined from the parts that do it. */
import { encodeError } from '../../errors.ts'
import { createKeyRests } from '../../resilience/call-gate.ts'
import type { MetricsCollector } from '../../telemetry/metrics.ts'
import type { RunActors } from '../actors/run-actors.ts'
import { createSnapshotText } from '../actors/snapshot-text.ts'
import { createModelCalls } from '../calls/model-calls.ts'
import type { ModelParts } from '../calls/model-parts.ts'
import { chaosHook } from '../chaos-hook.ts'
import { createCommitPipeline } from '../commits/commit-pipeline.ts'
import type { JournalFeed } from '../commits/journal-feed.ts'
import { createReadyQueue } from '../commits/ready-queue.ts'
import { createTimerWheel } from '../commits/timer-wheel.ts'
import { createBaselines } from '../run/baselines.ts'
import type { RunServices } from '../run/live.ts'
import { createPlaces } from '../run/places.ts'
import { waitsOf } from '../run/waiting.ts'
import type { Runs } from '../runs/runs.ts'
import type { ResolvedOptions } from '../runtime-options.ts'
import { createStageRules } from '../stage/stage-rules.ts'
import type { SystemHealth } from './system-health.ts'

export interface RunServicesParts {
  readonly options: ResolvedOptions
  readonly epoch: number
  readonly models: ModelParts
  readonly health: SystemHealth
  readonly metrics: MetricsCollector
  readonly actors: RunActors
  readonly children: Pick<RunServices, 'startChild' | 'closeChildren'>
  readonly feed: JournalFeed
  /** The runs, which are made of these services. */
  readonly runs: () => Runs
  readonly onStoreFailure: (error: unknown) => void
}

export function createRunServices(parts: RunServicesParts): RunServices {
  const { options, epoch, models, health, metrics, actors, children, feed, runs } = parts
  const { clock, random, store, log, remedies, profiles, providers, chaos } = options
  const { circuits, incidents } = health
  const { ready, pipeline } = createWork(parts)
  return {
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
    ...actors,
    ...children,
    generate: createModelCalls({ providers, circuits, ...models, rests: createKeyRests(), incidents }),
    preflight: health.preflight,
    degraded: health.degraded,
    systemState: () => ({ mode: options.minimal ? 'minimal' : 'full', degradation: health.level() }),
    waitsOf,
    findRun: runId => runs().find(runId),
    readmit: run => runs().readmit(run.id),
    announce(run, rows) {
      feed.announce(run.id, rows)
      const live = runs().find(run.id)
      if (live) runs().written(live)
      runs().admit()
    },
    ended(run) {
      health.ended(run)
      runs().ended(run.id)
    },
  }
}

/** The queue of what is ready to be done, and the pipeline that writes what was done in one turn of it. */
function createWork({ options, epoch, onStoreFailure }: RunServicesParts): Pick<RunServices, 'ready' | 'pipeline'> {
  const { store, log } = options
  const onDefect = (error: unknown): void =>
    log.error({ error: encodeError(error) }, 'a defect of Holdfast: please report it')
  const defer = (work: () => void): void => void setImmediate(work)
  const ready = createReadyQueue({ defer, onDefect })
  const pipeline = createCommitPipeline({
    store,
    epoch,
    defer,
    isIdle: () => ready.idle,
    onFailure: onStoreFailure,
  })
  return { ready, pipeline }
}
