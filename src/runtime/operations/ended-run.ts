/** Why what belongs to an unfinished run does not apply to one that has ended, and what does apply to it. */
import { HoldfastError } from '../../errors.ts'
import type { RunStatus } from '../../store/store.ts'

export interface EndedRun {
  readonly id: string
  readonly status: RunStatus
  /** It was read from a bundle. */
  readonly isImported: boolean
}

/** A HoldfastError `run_imported run_not_open` */
export function refusalOfEnded({ id, status, isImported }: EndedRun): HoldfastError {
  const details = { runId: id, status }
  if (isImported) {
    return new HoldfastError(
      'run_imported',
      `run ${id} was imported from a bundle, so it never goes on here; fork it: a fork is a run of this store`,
      details,
    )
  }
  return new HoldfastError(
    'run_not_open',
    `run ${id} has ended as ${status}, ${ways[status] ?? 'which is final'}`,
    details,
  )
}

const ways: Partial<Record<RunStatus, string>> = {
  completed: 'which is final; fork it from the stage to run again',
  cancelled: 'which is final; fork it from the stage to run again',
  failed: 'so this does not apply to it; retry reopens it',
  quarantined: 'so this does not apply to it; quarantine release reopens it',
  budget_exceeded: 'so this does not apply to it; resume with a larger budget reopens it',
}
