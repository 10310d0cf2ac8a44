/**
 * Tells a chaos of each journal event, writes down what it decides in the same commit, and lets it strike once that is
 * durable.
 */
import { StageError } from '../errors.ts'
import type { Circuit } from '../resilience/circuit.ts'
import { isEnded, type JournalRow } from '../store/store.ts'
import type { JournalEventType } from '../telemetry/catalogue.ts'
import { type Chaos, type ChaosPlace, chaosReason } from './chaos.ts'
import type { LiveRun, RunServices } from './run/live.ts'

export function chaosHook(chaos: Chaos, circuits: () => readonly Circuit[]): NonNullable<RunServices['chaos']> {
  return (run, row) => {
    const place = placeOf(run.id, row)
    const fault = place && chaos.faultAt(place)
    if (!fault) return
    const { type, key, stage, attempt, incarnation } = place
    const at = { type, ...(key === undefined ? {} : { key }) }
    run.journal('chaos.injected', { ...fault, at }, { stage, attempt, incarnation })
    run.afterCommit(() =>
      chaos.strike(fault, place, { killStage: () => killStage(run, stage), hold: ms => hold(run, ms), circuits }),
    )
  }
}

function placeOf(runId: string, { type, stage, attempt, incarnation, data }: JournalRow): ChaosPlace | undefined {
  if (type === 'chaos.injected' || stage === undefined || attempt === undefined) return undefined
  const { key } = JSON.parse(data) as { key?: unknown }
  return {
    runId,
    type: type as JournalEventType,
    stage,
    attempt,
    incarnation: incarnation ?? 1,
    ...(typeof key === 'string' ? { key } : {}),
  }
}

function hold(run: LiveRun, ms: number): void {
  const { ready, clock, findRun } = run.services
  ready.push(() => {
    if (run.detached || run.status === 'cancelling' || isEnded(run.status)) return
    run.pause(chaosReason)
    clock.setTimeout(() => ready.push(() => findRun(run.id)?.resume()), ms)
  })
}

/** In a turn of its own: the function has begun then. */
function killStage(run: LiveRun, name: string): void {
  run.services.ready.push(() => {
    const stage = run.liveStage(name)
    const attempt = stage?.attempt
    if (!stage || !attempt) return
    const thrown = new StageError(`stage '${name}' was killed on purpose (chaos)`, { stage: name, injected: true })
    stage.settle(attempt, { thrown }, thrown)
  })
}
