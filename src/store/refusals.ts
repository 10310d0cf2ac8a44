/**
 * The refusals that every store words alike: a claim that is taken, a write by who does not hold the claim, writes
 * that contradict what is stored, and names that no store can keep. Each is thrown before anything was changed, or with all of it undone.
 */
import { LeaseLostError, RunConflictError, RunNotFoundError, StoreError, ValidationError } from '../errors.ts'
import type { RunWrite, StoreOwner } from './store.ts'

export function ownedElsewhere(location: string, owner: StoreOwner | undefined): StoreError {
  const who = owner
    ? `process ${owner.pid} on ${owner.host}, since ${new Date(owner.claimedAt).toISOString()}`
    : 'another process'
  return new StoreError(
    'store_owned',
    `The store ${location} is owned by ${who}. One live process or runtime owns a store: end that one, send it a command, or use another store.`,
    owner ? { location, owner } : { location },
  )
}

export const leaseLost = (location: string, epoch: number, current: number | undefined): LeaseLostError =>
  new LeaseLostError(
    current === undefined
      ? `A write with epoch ${epoch} was refused, because this store ${location} is not claimed or has been closed. Nothing of it was stored; claim the store before writing.`
      : `A write with epoch ${epoch} was refused, because the store ${location} has been claimed again with epoch ${current}. Nothing of it was stored; this writer must stop.`,
    { location, epoch, ...(current === undefined ? {} : { current }) },
  )

export const runExists = (runId: string): RunConflictError =>
  new RunConflictError(`a run ${JSON.stringify(runId)} exists in this store, so it cannot be created`, { runId })

export const runMissing = (runId: string): RunNotFoundError => new RunNotFoundError(runId)

/** A damaged store, not a name that nobody knows. */
export const stateMissing = (runId: string): StoreError =>
  new StoreError(
    'store_corrupt',
    `Run ${JSON.stringify(runId)} is in this store and has lost its state, so the store is damaged. \`holdfast store check\` lists what is; \`holdfast restore\` brings a backup back.`,
    { runId },
  )

export const duplicateJournalRow = (runId: string, seq: number): StoreError =>
  new StoreError(
    'store_failed',
    `The journal of run ${JSON.stringify(runId)} has a row of seq ${seq} already, so the write was refused and nothing of its batch was stored. Two writers took the run for theirs, or one wrote twice; load the run anew.`,
    { runId, seq },
  )

export const duplicateSignal = (runId: string, ordinal: number): StoreError =>
  new StoreError(
    'store_failed',
    `Run ${JSON.stringify(runId)} has a signal of ordinal ${ordinal} already, so the write was refused and nothing of its batch was stored. Two writers took the run for theirs, or one wrote twice; load the run anew.`,
    { runId, ordinal },
  )

/** A NUL ends a text in SQLite and is refused by PostgreSQL; half a surrogate pair has no UTF-8. */
const unstorable = /[\0\p{Surrogate}]/u

/**
 * Refuses names that would not come back as they are. Values need no check: they are JSON text, which escapes both.
 * @throws ValidationError
 */
export function refuseUnstorable(write: RunWrite): void {
  refuseUnstorableName(write.runId)
  if (write.create) refuseUnstorableName(write.create.workflow, write.create.version, write.create.source)
  for (const { type, stage } of write.journal ?? []) {
    if (unstorable.test(type) || (stage !== undefined && unstorable.test(stage))) refuseUnstorableName(type, stage)
  }
  for (const row of write.ledger ?? []) refuseUnstorableName(row.stage, row.key)
  for (const row of write.setTimers ?? []) refuseUnstorableName(row.key)
  for (const row of write.addSignals ?? []) refuseUnstorableName(row.name)
  for (const row of write.wake ?? []) refuseUnstorableName(row.runId, row.key)
}

export function refuseUnstorableName(...names: readonly (string | undefined)[]): void {
  for (const name of names) {
    if (name === undefined || !unstorable.test(name)) continue
    throw new ValidationError(
      `the name ${JSON.stringify(name)} has a character that no store can keep: U+0000 or half of a surrogate pair`,
      { name },
    )
  }
}
