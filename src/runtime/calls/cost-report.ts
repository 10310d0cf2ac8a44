/** What runs have cost together, and each workflow's share: the sum of what their counters say, with its warnings. */
import type { RunRow, Store } from '../../store/store.ts'
import type { RunCost } from '../api.ts'
import type { Counters } from '../run/counters.ts'
import { costOf } from './run-cost.ts'

export interface CostReport extends RunCost {
  /** Runs created at or after, ms; absent: all. */
  readonly since?: number | undefined
  readonly runs: number
  /** The dearest first. */
  readonly workflows: readonly ({ readonly workflow: string; readonly runs: number } & RunCost)[]
}

const pageSize = 1000

export async function costReport(store: Store, since?: number): Promise<CostReport> {
  const total: Sum = { runs: 0, counters: {} }
  const byWorkflow = new Map<string, Sum>()
  let cursor: string | undefined
  do {
    const page = await store.list({ since, limit: pageSize, cursor })
    for (const row of page.items) {
      const sum = byWorkflow.get(row.workflow) ?? { runs: 0, counters: {} }
      byWorkflow.set(row.workflow, sum)
      add(total, row)
      add(sum, row)
    }
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return {
    ...(since === undefined ? {} : { since }),
    runs: total.runs,
    ...costOf(total.counters),
    workflows: [...byWorkflow]
      .sort(([, a], [, b]) => (b.counters.usd ?? 0) - (a.counters.usd ?? 0))
      .map(([workflow, { runs, counters }]) => ({ workflow, runs, ...costOf(counters) })),
  }
}

interface Sum {
  runs: number
  readonly counters: Partial<Record<Exclude<keyof Counters, 'stoppedCleanly'>, number>>
}

function add(sum: Sum, { counters }: RunRow): void {
  sum.runs++
  for (const [name, count] of Object.entries(JSON.parse(counters) as Counters)) {
    if (typeof count !== 'number') continue
    const key = name as Exclude<keyof Counters, 'stoppedCleanly'>
    sum.counters[key] = (sum.counters[key] ?? 0) + count
  }
}
