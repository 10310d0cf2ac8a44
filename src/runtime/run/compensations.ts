/**
 * Compensations: when a run is cancelled, the stages that had succeeded are undone, last one first. Each is recorded,
 * so that a process which dies in the middle goes on where it was; one that fails is recorded and does not hold up the
 * others.
 */

import { encodeError } from '../../errors.ts'
import { decodeResult } from '../../workflow/results.ts'
import { bounded } from '../stage/bounded-work.ts'
import type { LiveRun } from './live.ts'
import { itemOf } from './run-memory.ts'

/**
 * Undoes the stages of the run once its cancellation is durable, then lets the cancellation end.
 * @param letGo aborted when the process lets go of the run
 */
export function compensate(run: LiveRun, letGo: AbortSignal): void {
  run.afterCommit(() => {
    compensateStages(run, letGo).then(
      () => run.services.ready.push(() => run.dispatch(() => run.send({ type: 'COMPENSATED' }))),
      error =>
        run.services.log.error(
          { runId: run.id, error: encodeError(error) },
          `the compensations of run ${run.id} could not be carried out`,
        ),
    )
  })
}

async function compensateStages(run: LiveRun, letGo: AbortSignal): Promise<void> {
  const ended = [...run.memory.stages]
    // What a fork took over, or an operator gave, was not done by this run.
    .filter(([, record]) => record.outcome === 'succeeded' && record.attempts > 0)
    .sort(([, a], [, b]) => a.endedSeq - b.endedSeq)
  for (const [name] of ended.reverse()) {
    const item = itemOf(run.memory, name)
    const source = run.memory.ownStages.sources.get(name) ?? (item ? name.slice(0, name.indexOf('[')) : name)
    const definition = run.definition.stages.get(source)
    // A map is undone item by item.
    if (!definition?.compensate || (definition.kind === 'map' && !item) || run.memory.compensated.has(name)) continue
    if (run.detached) return
    const { compensate } = definition
    const limitMs =
      definition.timeoutMs ??
      run.services.rulesOf(run.definition, definition, run.options.profile).profile.timeout.stageMs
    const what = `the compensation of stage '${name}'`
    let failure: unknown
    try {
      await bounded({ clock: run.services.clock, limitMs, what, signal: letGo }, signal =>
        compensate({
          input: run.input,
          results: run.resultsOf(definition.ancestors),
          result: decodeResult(item ? item.map.results[item.index] : run.memory.results.get(name)),
          ...(item ? { item: decodeResult(item.map.items[item.index]) } : {}),
          idempotencyKey: `${run.id}/${name}/compensate`,
          signal,
        }),
      )
      if (run.detached) return
    } catch (error) {
      if (run.detached) return
      failure = error ?? new Error('undefined was thrown')
    }
    run.dispatch(() =>
      failure === undefined
        ? run.journal('compensation.succeeded', {}, { stage: name })
        : run.journal('compensation.failed', { error: encodeError(failure) }, { stage: name }),
    )
    await run.durable()
  }
}
