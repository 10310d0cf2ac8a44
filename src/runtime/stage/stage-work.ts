/**
 * What a stage does beside its function, when its machine asks for it: the preflight, remedies and the fallback. Each
 * starts once what led to it is durable, has the time of the stage, and ends as an event for the machine, unless the
 * stage has gone on without it.
 */
import type { StageFailure, StageMachineContext, StageMachineEvent } from '../../../machines/stage.machine.ts'
import { decodeError, type EncodedError, encodeError, StageError } from '../../errors.ts'
import type { JsonText } from '../../store/store.ts'
import { encodeResult } from '../../workflow/results.ts'
import type { Remedy } from '../api.ts'
import type { LiveStage } from '../run/live.ts'
import type { PreflightReport } from '../run/run-facts.ts'
import { bounded } from './bounded-work.ts'
import { describeFailure } from './failure.ts'
import { type FailureFacts, journalledFacts } from './failure-facts.ts'

/** A stage, as what it does beside its function sees it. */
export interface WorkingStage extends LiveStage {
  /** What went wrong, with all that the machine decides by. */
  factsOf(thrown: unknown): FailureFacts
  /** The stage gives this, as `encodeResult` gives it. */
  keepResult(data: JsonText): void
}

/** @param signal of this function and the next two: aborted when the stage goes on without the work */
export function runPreflight(stage: WorkingStage, signal: AbortSignal): void {
  const { run } = stage
  const where = { stage: stage.name }
  run.afterCommit(() => {
    run.services.preflight(run.options.cwd, signal).then(
      report =>
        conclude(stage, signal, () => {
          const { monitors } = report
          const failed = report.healthy ? undefined : stage.factsOf(unfitGround(stage.name, report))
          if (failed) run.journal('preflight.failed', { monitors, facts: journalledFacts(failed) }, where)
          else run.journal('preflight.passed', { monitors }, where)
          for (const monitor of report.monitors.filter(found => !found.healthy && !found.critical)) {
            run.degrade({ stage: stage.name, component: monitor.name, reason: monitor.message })
          }
          return failed ? { type: 'PREFLIGHT_FAILED', ...failed } : { type: 'PREFLIGHT_PASSED' }
        }),
      error =>
        conclude(stage, signal, () => {
          const failed = stage.factsOf(error)
          const facts = journalledFacts(failed)
          run.journal('preflight.failed', { monitors: [], error: encodeError(error), facts }, where)
          return { type: 'PREFLIGHT_FAILED', ...failed }
        }),
    )
  })
}

export function applyRemedy(stage: WorkingStage, signal: AbortSignal, context: StageMachineContext): void {
  const { run } = stage
  const where = { stage: stage.name }
  const name = context.policy.remedies[context.remediesTried] as string
  run.afterCommit(() => {
    // A workflow that names a remedy which is not there is refused when it is registered.
    const remedy = run.services.remedies[name] as Remedy
    inTime(stage, `remedy '${name}' of stage '${stage.name}'`, signal, own =>
      remedy({ runId: run.id, stage: stage.name, error: errorOf(context.failure), signal: own }),
    ).then(
      () =>
        conclude(stage, signal, () => {
          run.journal('remedy.applied', { remedy: name }, where)
          return { type: 'REMEDY_APPLIED' }
        }),
      error =>
        conclude(stage, signal, () => {
          const failed = stage.factsOf(error)
          const facts = journalledFacts(failed)
          run.journal('remedy.failed', { remedy: name, error: encodeError(error), facts }, where)
          return { type: 'REMEDY_FAILED', ...failed }
        }),
    )
  })
}

export function runFallback(stage: WorkingStage, signal: AbortSignal, context: StageMachineContext): void {
  const { run, definition } = stage
  run.afterCommit(() => {
    inTime(stage, `the fallback of stage '${stage.name}'`, signal, own =>
      definition.fallback?.({
        input: stage.input,
        results: run.resultsOf(definition.ancestors),
        error: errorOf(context.failure),
        ...(stage.item ? { item: stage.itemValue() } : {}),
        signal: own,
      }),
    ).then(
      value =>
        conclude(stage, signal, () => {
          try {
            stage.keepResult(encodeResult(value, `fallback of stage '${stage.name}'`))
          } catch (error) {
            return fallbackFailed(stage, error, context.failure)
          }
          return { type: 'FALLBACK_SUCCEEDED', output: stage.output }
        }),
      error => conclude(stage, signal, () => fallbackFailed(stage, error, context.failure)),
    )
  })
}

/** What it was to make up for is the cause, unless it names one of its own. */
function fallbackFailed({ run, name }: WorkingStage, error: unknown, reason: StageFailure | null): StageMachineEvent {
  run.journal('fallback.failed', { error: encodeError(error) }, { stage: name })
  const failure = describeFailure(error)
  const cause = failure.error.cause ?? reason?.error
  return { type: 'FALLBACK_FAILED', failure: cause ? { ...failure, error: { ...failure.error, cause } } : failure }
}

/** Work beside the function has the time of the stage. */
function inTime(
  { run, timeoutMs: limitMs }: WorkingStage,
  what: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => unknown,
): Promise<unknown> {
  return bounded({ clock: run.services.clock, limitMs, what, signal }, work)
}

/** Sends what came of some work to the machine, unless the stage has gone on without it. */
function conclude({ run, ref }: WorkingStage, signal: AbortSignal, event: () => StageMachineEvent): void {
  if (signal.aborted) return
  run.services.ready.push(() => {
    if (!signal.aborted) run.dispatch(() => ref.send(event()))
  })
}

function unfitGround(stage: string, { monitors }: PreflightReport): StageError {
  const faults = monitors
    .filter(found => !found.healthy && found.critical)
    .map(found => `${found.name}: ${found.message}`)
  return new StageError(`the preflight of stage '${stage}' failed: ${faults.join('; ')}`)
}

const errorOf = (failure: StageFailure | null): Error =>
  failure ? decodeError(failure.error as EncodedError) : new StageError('the stage failed')
