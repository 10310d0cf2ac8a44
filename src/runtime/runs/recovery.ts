/**
 * What a process does for the runs of the ones before it: it takes up all that something is to be done for, and from
 * then on wakes those that sleep. It says which go on, and why the others do not.
 */
import type { RunStatus, Store } from '../../store/store.ts'
import type { RecoveryReport } from '../api.ts'
import type { Registry } from '../registry.ts'
import type { RunServices } from '../run/live.ts'
import { ActorRun } from '../run/live-run.ts'
import type { Adoption } from './adoption.ts'
import type { Passivation } from './passivation.ts'
import { asleep, type RunsInMemory } from './runs-in-memory.ts'

export interface RecoveryParts {
  readonly store: Store
  readonly registry: Registry
  readonly services: RunServices
  readonly memory: RunsInMemory
  readonly adoption: Adoption
  readonly passivation: Passivation
}

/** Runs that are loaded from the store at once. */
const recoveryPage = 500
/** Statuses of runs that something is to be done for as soon as there is a process. */
const awake: readonly RunStatus[] = ['pending', 'running', 'recovering', 'cancelling']
/** Of so many sleeping runs a recovery says whether they can be gone on with; the others show it when they wake. */
const mostSleepersNamed = 1000

type Skip = (id: string, error: unknown) => void

export async function recoverRuns(parts: RecoveryParts): Promise<RecoveryReport> {
  const { store, services, memory, adoption, passivation } = parts
  memory.ensureOpen()
  const recovered: string[] = []
  const skipped: { id: string; reason: string }[] = []
  const skip: Skip = (id, error) =>
    void skipped.push({ id, reason: error instanceof Error ? error.message : String(error) })
  const ids = (await store.unfinished({ status: awake })).filter(id => !memory.has(id))
  for (let from = 0; from < ids.length; from += recoveryPage) {
    for (const [id, outcome] of await adoption.takeUpAll(ids.slice(from, from + recoveryPage))) {
      if (outcome instanceof ActorRun) recovered.push(id)
      else {
        skip(id, outcome)
        await passivation.wakeParentOf(id)
      }
    }
  }
  if (!passivation.wakesSleepers) await lookAfterSleepers(parts, recovered, skip)
  await services.pipeline.durable()
  return { recovered, skipped }
}

/** From now on sleeping runs are woken by their timers; says of the first of them whether they can be gone on with. */
async function lookAfterSleepers(parts: RecoveryParts, recovered: string[], skip: Skip): Promise<void> {
  const { store, registry, memory, adoption, passivation } = parts
  passivation.begin()
  const ids = await store.unfinished({ status: asleep, limit: mostSleepersNamed })
  for (const { run } of await store.load(ids, [])) {
    if (memory.has(run.id)) continue
    try {
      registry.definitionFor(run)
      recovered.push(run.id)
      memory.sleeping++
    } catch (error) {
      passivation.passOver(run.id)
      await adoption.leaveWaiting(run, error)
      skip(run.id, error)
      await passivation.wakeParentOf(run.id)
    }
  }
  if (ids.length === mostSleepersNamed) memory.sleeping = Number.POSITIVE_INFINITY
  await passivation.openSleepers()
  memory.holdProcess()
}
