/** Options and rows of a list of runs. */
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { type Page, type RunFilter, type RunRow, runStatuses, type Store } from '../store/store.ts'
import type { ListOptions, RunSummary, WaitSummary } from './api.ts'

const schema = z.strictObject({
  status: z.union([z.enum(runStatuses), z.array(z.enum(runStatuses))]).optional(),
  workflow: z.string().optional(),
  tags: z.array(z.string()).optional(),
  text: z.string().optional(),
  since: z.union([z.number(), z.date()], 'must be milliseconds since the epoch, or a Date').optional(),
  limit: z.int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
})

/** @throws OptionsError */
function filterOf(given: ListOptions): RunFilter {
  const { status, since, ...rest } = parseOptions(schema, given, 'list')
  return {
    ...rest,
    ...(status === undefined ? {} : { status: typeof status === 'string' ? [status] : status }),
    ...(since === undefined ? {} : { since: Number(since) }),
  }
}

export function summaryOf(row: RunRow): RunSummary {
  return {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    status: row.status,
    tags: row.tags,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    ...(row.endedAt === null ? {} : { endedAt: row.endedAt }),
    ...(row.parent ? { parent: row.parent.runId } : {}),
  }
}

/** A page of runs; of those that wait, with what for. */
export async function listRuns(store: Store, given: ListOptions): Promise<Page<RunSummary>> {
  const { items, nextCursor } = await store.list(filterOf(given))
  const summaries = await Promise.all(
    items.map(async row =>
      row.status === 'waiting'
        ? { ...summaryOf(row), waitingFor: await waitingFor(store, row.id, row.seq) }
        : summaryOf(row),
    ),
  )
  return { items: summaries, ...(nextCursor === undefined ? {} : { nextCursor }) }
}

/** What the last `run.waiting` of the journal says. */
export async function waitingFor(store: Store, runId: string, seq: number): Promise<readonly WaitSummary[]> {
  for (let after = seq; after > 0; after -= 100) {
    const rows = await store.readJournal(runId, { after: Math.max(0, after - 100), limit: 100 })
    const row = rows.findLast(candidate => candidate.type === 'run.waiting')
    if (row) return (JSON.parse(row.data) as { for: readonly WaitSummary[] }).for
  }
  return []
}
