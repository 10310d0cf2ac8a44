/**
 * Compensations: when a run is cancelled, the stages that had succeeded are undone, last one first. Each is recorded,
 * so that a process which dies in the middle goes on where it was; one that fails is recorded and does not hold up the
 * others.
 */

import { encodeError } from '../errors.ts'
import { decodeResult } from '../workflow/results.ts'
import type { LiveRun } from './live.ts'
import { itemOf } from './run-memory.ts'

export async function compensateStages(run: LiveRun): Promise<void> {
  const ended = [...run.memory.stages]
    .filter(([, record]) => record.outcome === 'succeeded')
    .sort(([, a], [, b]) => (a.endedAt ?? 0) - (b.endedAt ?? 0))
  for (const [name] of ended.reverse()) {
    const item = itemOf(run.memory, name)
    const definition = run.definition.stages.get(item ? name.slice(0, name.indexOf('[')) : name)
    // A map is undone item by item.
    if (!definition?.compensate || (definition.kind === 'map' && !item) || run.memory.compensated.has(name)) continue
    if (run.detached) return
    const { signal } = new AbortController()
    let failure: unknown
    try {
      await definition.compensate({
        input: run.input,
        results: run.resultsOf(definition.ancestors),
        result: decodeResult(item ? item.map.results[item.index] : run.memory.results.get(name)),
        idempotencyKey: `${run.id}/${name}/compensate`,
        signal,
      })
    } catch (error) {
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
