/** Metrics that stages record: a bounded list of points, oldest dropped first. Recording one never fails a stage. */
import type { Clock } from '../time/clock.ts'
import type { StageMetrics } from '../workflow/stage-context.ts'

export interface MetricPoint {
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly metric: string
  readonly value: number
  readonly tags: Readonly<Record<string, string>>
}

export interface MetricsCollector {
  /** The recorder for one stage: its points carry the stage and workflow as tags. */
  of(stage: string, workflow: string): StageMetrics
  /** The points that are kept, oldest first. */
  export(): readonly MetricPoint[]
}

const pointsKept = 10_000

export function createMetricsCollector(clock: Clock): MetricsCollector {
  let points: MetricPoint[] = []
  const totals = new Map<string, number>()

  const record = (metric: string, value: number, tags: Readonly<Record<string, string>>): void => {
    if (points.length >= pointsKept * 2) points = points.slice(-pointsKept)
    points.push({ timestamp: clock.now(), metric: String(metric), value: Number(value), tags })
  }

  return {
    of(stage, workflow) {
      const about = { stage, workflow }
      return {
        increment(name, by = 1, tags = {}) {
          const all = { ...tags, ...about }
          const identity = JSON.stringify([name, all])
          const total = (totals.get(identity) ?? 0) + by
          if (totals.size < pointsKept || totals.has(identity)) totals.set(identity, total)
          record(name, total, all)
        },
        gauge: (name, value, tags = {}) => record(name, value, { ...tags, ...about }),
        timer(name, tags = {}) {
          const began = clock.now()
          return () => record(name, clock.now() - began, { ...tags, ...about })
        },
      }
    },
    export: () => points.slice(-pointsKept),
  }
}
