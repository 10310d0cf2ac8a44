/**
 * The last snapshot of a machine of one's own, made ready to go on from: its flow is open again, and every stage in it
 * that is to run again stands at the start of its next attempt, with nothing held against it. Only what Holdfast's own
 * machines wrote is changed; the state of the user's machine is as it was.
 */
import type { JsonText } from '../../store/store.ts'
import type { RunMemory } from '../run/run-memory.ts'

interface Persisted {
  value?: unknown
  status?: string
  context?: { stage?: string; admission?: string } & Record<string, unknown>
  children?: Record<string, { snapshot: Persisted }>
}

export function refreshedSnapshot(
  text: JsonText,
  again: readonly string[],
  memory: RunMemory,
  isPaused: boolean,
): JsonText {
  const root = JSON.parse(text) as Persisted
  root.value = { open: isPaused ? 'paused' : 'running' }
  refreshBelow(root, new Set(again), memory)
  return JSON.stringify(root)
}

function refreshBelow(parent: Persisted, again: ReadonlySet<string>, memory: RunMemory): void {
  for (const { snapshot } of Object.values(parent.children ?? {})) {
    const { context } = snapshot
    const stage = context?.admission === undefined ? undefined : context.stage
    if (stage === undefined) refreshBelow(snapshot, again, memory)
    else if (snapshot.status === 'active') {
      snapshot.value = 'running'
      const attempts = memory.stages.get(stage)?.attempts ?? 0
      const fresh = {
        ...{ retries: 0, spent: [], remediesTried: 0, failure: null },
        ...{ alike: null, rule: null, because: null, dueAt: null },
      }
      if (again.has(stage)) Object.assign(context as object, fresh, { attempt: attempts + 1 })
    }
  }
}
