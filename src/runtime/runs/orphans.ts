/**
 * Children whose parent has ended: they are cancelled, unless they were to be abandoned. One is told when its parent
 * ends; one that no process could tell is cancelled when it is taken up.
 */
import { encodeError } from '../../errors.ts'
import { isEnded, type RunRow, type RunStatus, type Store, type StoredRun } from '../../store/store.ts'
import type { RunServices } from '../run/live.ts'
import type { ActorRun } from '../run/live-run.ts'
import type { RunsInMemory } from './runs-in-memory.ts'

export interface OrphanParts {
  readonly store: Store
  readonly services: RunServices
  readonly memory: RunsInMemory
  readonly adopt: (runId: string) => Promise<ActorRun>
}

/** Cancels a child whose parent has ended, in memory or not; one that has ended itself is left alone. */
export async function cancelChild(parts: OrphanParts, childId: string, parentId: string): Promise<void> {
  const { store, services, memory, adopt } = parts
  try {
    const row = memory.find(childId)?.spec ?? (await store.readRun(childId))
    if (row?.parent?.runId !== parentId || ('status' in row && isEnded(row.status as RunStatus))) return
    const run = await adopt(childId)
    run.cancel(`its parent ${parentId} has ended`)
    await run.durable()
  } catch (error) {
    services.log.warn(
      { runId: childId, error: encodeError(error) },
      `child run ${childId} could not be cancelled with its parent`,
    )
  }
}

/** Those of their parents that have ended, by id. */
export async function endedParents(store: Store, loaded: readonly StoredRun[]): Promise<ReadonlyMap<string, RunRow>> {
  const ended = new Map<string, RunRow>()
  for (const parent of new Set(loaded.map(({ run }) => run.parent?.runId))) {
    const row = parent === undefined ? undefined : await store.readRun(parent)
    if (row && isEnded(row.status)) ended.set(row.id, row)
  }
  return ended
}

/** A child whose parent ended while no process could cancel it is cancelled now; one reopened since then goes on. */
export function cancelOrphan(run: ActorRun, ended: ReadonlyMap<string, RunRow>): void {
  const parent = run.spec.parent && ended.get(run.spec.parent.runId)
  const reopenedSince = (run.memory.amended.reopenedAt ?? 0) > (parent?.endedAt ?? 0)
  if (parent && run.options.onParentClose !== 'abandon' && !reopenedSince) {
    run.cancel(`its parent ${parent.id} has ended`)
  }
}
