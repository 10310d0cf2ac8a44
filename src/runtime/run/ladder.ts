/**
 * How a run comes back from what the store has of it. The first rung is its snapshot. Where that cannot be restored, the
 * run of a built workflow is rebuilt from its journal: what ended has ended, with the same results, and what was under
 * way starts anew at the start of its stage, with its attempts and restarts as counted and its ledger as recorded. Where
 * nothing is left (a machine of one's own has no such second way) the run is quarantined with the evidence. Each step
 * down is in the journal.
 */
import { createHash } from 'node:crypto'
import type { AnyActorRef } from 'xstate'
import { encodeError, SnapshotError } from '../../errors.ts'
import type { JsonText, RunStatus } from '../../store/store.ts'
import type { SupervisedRun } from './live.ts'

export interface RestorableRun extends SupervisedRun {
  readonly snapshotText: JsonText | null
  /** The next start of the actors begins afresh, and follows what is recorded. */
  forgetSnapshot(): void
}

/**
 * Starts the actors as they were when the run had this status. False when it could not be done: the run is to be
 * quarantined, and `run.failure` says why.
 */
export function restoreActors(run: RestorableRun, status: RunStatus): boolean {
  const { snapshotText } = run
  const needsRebuild = run.memory.corrupt.some(({ breaksSnapshot }) => breaksSnapshot)
  for (const { what, message } of run.memory.corrupt) run.journal('record.corrupt', { what, message })
  const fault = needsRebuild ? new Error('what it rests on is damaged') : faultOfStart(run)
  if (fault === undefined) {
    if (run.root) replayErrors(run, run.root)
    return true
  }
  const evidence = { snapshotHash: hashOf(snapshotText), snapshotBytes: snapshotText?.length ?? 0 }
  run.journal('snapshot.refused', { error: encodeError(fault), ...evidence })
  run.services.log.warn(
    { runId: run.id, error: encodeError(fault) },
    `the snapshot of run ${run.id} cannot be restored; it is rebuilt from its journal`,
  )
  let last = fault
  if (run.definition.origin === 'built') {
    run.forgetSnapshot()
    const second = faultOfStart(run)
    if (second === undefined) {
      run.journal('run.rebuilt')
      if (status === 'paused') run.send({ type: 'PAUSE', reason: null })
      if (status === 'cancelling') run.send({ type: 'CANCEL', reason: null })
      return true
    }
    last = second
  }
  const error = new SnapshotError(
    `run ${run.id} could not be restored from its snapshot`,
    { runId: run.id, ...evidence },
    { cause: last },
  )
  run.fail({ status: 'quarantined', error: encodeError(error) })
  return false
}

/** Why the actors did not start; undefined when they did. */
function faultOfStart(run: RestorableRun): unknown {
  try {
    run.services.supervise(run)
    const snapshot = run.root?.getSnapshot() as { status: string; error?: unknown; value?: unknown } | undefined
    if (snapshot?.status === 'error') return snapshot.error ?? new Error('the snapshot restores as an error')
    if (snapshot?.status !== 'active' || !isOpen(snapshot.value)) return undefined
    const flow = run.flow?.getSnapshot() as { status: string; error?: unknown } | undefined
    if (!flow) return new Error('the snapshot has no flow')
    if (flow.status === 'error') return flow.error ?? new Error('the flow restores as an error')
    return run.definition.origin === 'built' ? faultOfStage(run.flow) : undefined
  } catch (error) {
    return error ?? new Error('undefined was thrown')
  }
}

/** A stage or an item that cannot be restored has an error and nothing else; one that failed has its context. */
function faultOfStage(actor: AnyActorRef | undefined): unknown {
  const { children = {} } = (actor?.getSnapshot() ?? {}) as { children?: Record<string, AnyActorRef | undefined> }
  for (const child of Object.values(children)) {
    const snapshot = child?.getSnapshot() as { status?: string; error?: unknown; context?: unknown } | undefined
    const isUnrestored = snapshot?.status === 'error' && snapshot.context === undefined
    const fault = isUnrestored ? (snapshot.error ?? new Error('a stage restores as an error')) : faultOfStage(child)
    if (fault !== undefined) return fault
  }
  return undefined
}

const isOpen = (value: unknown): boolean => typeof value === 'object' && value !== null && 'open' in value

/** XState tells a parent again of a child that is done, and of one that ended with an error it does not. */
function replayErrors(run: RestorableRun, actor: AnyActorRef): void {
  const { children = {} } = actor.getSnapshot() as { children?: Record<string, AnyActorRef | undefined> }
  for (const child of Object.values(children)) {
    if (!child) continue
    const snapshot = child.getSnapshot() as { status: string; error?: unknown; context?: { stage?: string } }
    if (snapshot.status === 'active') replayErrors(run, child)
    if (snapshot.status !== 'error') continue
    const stage = snapshot.context?.stage
    if (run.definition.origin === 'built' && stage !== undefined)
      run.fail({ status: 'failed', error: encodeError(snapshot.error), stage })
    actor.send({ type: `xstate.error.actor.${child.id}`, error: snapshot.error, actorId: child.id })
  }
}

const hashOf = (text: JsonText | null): string =>
  createHash('sha256')
    .update(text ?? '')
    .digest('hex')
    .slice(0, 16)
