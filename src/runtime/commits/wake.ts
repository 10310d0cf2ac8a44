/**
 * How a run wakes another that sleeps in the store: by a timer that is due at once, set in the same write as what it
 * tells of. So a parent hears of its child's end, and a child of its parent's, though the process dies right after.
 */
import type { LiveRun } from '../run/live.ts'

/** The timer by which `runId` wakes another. */
export const wakeKey = (runId: string): string => `wake:${runId}`

/** The children of a run that end with it. */
export function dependentChildren(run: LiveRun): string[] {
  return [...run.memory.ledger.values()].flatMap(row => {
    if (row.kind !== 'child') return []
    const { id, onParentClose } = JSON.parse(row.data) as { id: string; onParentClose?: string }
    return onParentClose === 'abandon' ? [] : [id]
  })
}

/** The run has ended: its parent and its children are to look, and nobody is to wake it any more. */
export function wakeRelatives(run: LiveRun, children: readonly string[]): void {
  const { parent } = run.spec
  const relatives = parent ? [parent.runId, ...children] : children
  const timer = { key: wakeKey(run.id), dueAt: run.services.clock.now(), data: JSON.stringify({ kind: 'wake' }) }
  for (const runId of relatives) {
    run.pending.clearTimer(wakeKey(runId))
    run.pending.wake({ runId, ...timer })
  }
}
