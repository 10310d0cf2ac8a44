/** What stages cost in an earlier run, as its journal has it: the best guess of what running them again will cost. */
import type { StoredRun } from '../../store/store.ts'
import type { RunMemory } from '../run/run-memory.ts'

export interface RerunCost {
  /** USD of the model calls; 'unknown' where one of them has no price. */
  readonly usd: number | 'unknown'
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Of the stages one after the other, ms. */
  readonly durationMs: number
  /** Stages that have not run yet, so nothing is known of them. */
  readonly unknown: readonly string[]
}

/** The journal rows that tell of cost. */
export const costTypes = ['call.succeeded'] as const

export function rerunCost({ journal }: StoredRun, memory: RunMemory, rerun: readonly string[]): RerunCost {
  const isRerun = (stage: string | undefined): boolean =>
    stage !== undefined && (rerun.includes(stage) || rerun.some(name => stage.startsWith(`${name}[`)))
  let usd = 0
  let calls = 0
  let unpriced = 0
  let inputTokens = 0
  let outputTokens = 0
  for (const row of journal) {
    if (row.type !== 'call.succeeded' || !isRerun(row.stage)) continue
    const { cost, usage } = JSON.parse(row.data) as CallData
    calls++
    if (typeof cost === 'number') usd += cost
    else unpriced++
    inputTokens += usage?.inputTokens ?? 0
    outputTokens += usage?.outputTokens ?? 0
  }
  const known = rerun.filter(name => memory.stages.get(name)?.endedAt)
  const durationMs = known.reduce((sum, name) => {
    const { startedAt = 0, endedAt } = memory.stages.get(name) ?? {}
    return name.includes('[') ? sum : sum + (endedAt ?? startedAt) - startedAt
  }, 0)
  return {
    usd: unpriced > 0 ? 'unknown' : usd,
    calls,
    inputTokens,
    outputTokens,
    durationMs,
    unknown: rerun.filter(name => !memory.stages.has(name)),
  }
}

interface CallData {
  readonly cost?: number | 'unknown'
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number }
}
