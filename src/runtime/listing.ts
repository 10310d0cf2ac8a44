/** Options and rows of a list of runs. */
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { type RunFilter, type RunRow, runStatuses } from '../store/store.ts'
import type { ListOptions, RunSummary } from './api.ts'

const schema = z.strictObject({
  status: z.union([z.enum(runStatuses), z.array(z.enum(runStatuses))]).optional(),
  workflow: z.string().optional(),
  tags: z.array(z.string()).optional(),
  text: z.string().optional(),
  since: z.union([z.number(), z.date()]).optional(),
  limit: z.int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
})

/** @throws OptionsError */
export function filterOf(given: ListOptions): RunFilter {
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
