/**
 * What every store must agree on when it lists runs: how many a page holds, what a search text is compared with, and
 * what a cursor says. A page goes on below the last run of the one before, by creation, so that runs which are started
 * meanwhile neither repeat nor hide a row.
 */
import { OptionsError } from '../errors.ts'
import type { NewRun } from './store.ts'

/** Where a page ended: below the run that was created then, and among those of one moment below this ordinal. */
export interface ListPosition {
  readonly createdAt: number
  readonly ordinal: number
}

/** How many runs a page holds: 1 to 1000, 100 unless told. */
export const pageSize = (limit: number | undefined): number => Math.min(1000, Math.max(1, Math.trunc(limit ?? 100)))

/** What the search text of a filter, in lower case, is looked for in: the id, the workflow and each tag. */
export const searchText = (runId: string, run: NewRun): string =>
  [runId, run.workflow, ...run.tags].join('\n').toLowerCase()

export const encodeCursor = (position: ListPosition): string =>
  Buffer.from(`${position.createdAt}/${position.ordinal}`).toString('base64url')

/** @throws OptionsError when it is no cursor that `list` gave */
export function decodeCursor(cursor: string): ListPosition {
  const [createdAt, ordinal, ...rest] = Buffer.from(cursor, 'base64url').toString().split('/').map(Number)
  if (rest.length > 0 || !Number.isFinite(createdAt) || !Number.isSafeInteger(ordinal)) {
    throw new OptionsError(
      `${JSON.stringify(cursor)} is no cursor of a list of runs; give back the 'nextCursor' of the last page`,
      {
        option: 'cursor',
      },
    )
  }
  return { createdAt: createdAt as number, ordinal: ordinal as number }
}
