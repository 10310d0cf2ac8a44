/**
 * How long the stages of a workflow usually take: of each the median over the last 20 completed runs of the same version,
 * items of maps left out. It is read from the results of those runs and kept up with each that completes. It is for
 * people to look at, so what cannot be read is as if there were nothing.
 */
import type { RunRow, Store } from '../../store/store.ts'
import type { RunPerformance, RunResult } from '../api.ts'

const mostRuns = 20
/** Of so many runs, the newest, those that completed are taken. */
const lookedAt = 100

/** Milliseconds that a stage usually takes; undefined where nobody knows. */
export type UsualDuration = (stage: string) => number | undefined

type Workflow = Pick<RunRow, 'workflow' | 'version'>

export interface Baselines {
  /** Reads what earlier runs have taken, once for each workflow and version. Never rejects. */
  learn(workflow: Workflow): Promise<void>
  of(workflow: Workflow): UsualDuration
  /** A run has completed. */
  note(result: RunResult): void
}

export function createBaselines(store: Store): Baselines {
  const known = new Map<string, StageDurations>()
  const learning = new Map<string, Promise<void>>()

  const durationsOf = (workflow: Workflow): StageDurations => {
    const key = keyOf(workflow)
    const durations = known.get(key) ?? new StageDurations()
    known.set(key, durations)
    return durations
  }

  return {
    learn(workflow) {
      const key = keyOf(workflow)
      const begun = learning.get(key) ?? durationsOf(workflow).read(store, workflow)
      learning.set(key, begun)
      return begun
    },
    of: workflow => {
      const durations = known.get(keyOf(workflow))
      return stage => durations?.usual(stage)
    },
    note: result => durationsOf(result).add(result.runId, result.performance),
  }
}

/** What a store says of a workflow, for who only reads. */
export async function readBaselines(store: Store, workflow: Workflow): Promise<UsualDuration> {
  const baselines = createBaselines(store)
  await baselines.learn(workflow)
  return baselines.of(workflow)
}

const keyOf = ({ workflow, version }: Workflow): string => `${workflow}\u0000${version}`

class StageDurations {
  #stages = new Map<string, RecentDurations>()
  /** Runs that completed while the store was read: they may be in what was read or not. */
  #meanwhile: Map<string, RunPerformance> | undefined

  usual(stage: string): number | undefined {
    return this.#stages.get(stage)?.median
  }

  add(runId: string, performance: RunPerformance): void {
    this.#meanwhile?.set(runId, performance)
    for (const [stage, { durationMs, attempts }] of Object.entries(performance.stages)) {
      // What was skipped took no time; items are as many as there are, and have names of their own.
      if (stage.includes('[') || (attempts === 0 && durationMs === 0)) continue
      const durations = this.#stages.get(stage) ?? new RecentDurations()
      durations.add(durationMs)
      this.#stages.set(stage, durations)
    }
  }

  async read(store: Store, { workflow, version }: Workflow): Promise<void> {
    this.#meanwhile = new Map()
    try {
      const { items } = await store.list({ workflow, limit: lookedAt })
      const completed = items.filter(run => run.status === 'completed' && run.version === version)
      const meanwhile = this.#meanwhile
      this.#meanwhile = undefined
      this.#stages = new Map()
      for (const run of completed.slice(0, mostRuns).reverse()) {
        if (!meanwhile.has(run.id)) this.add(run.id, (JSON.parse(run.outcome ?? '{}') as RunResult).performance)
      }
      for (const [runId, performance] of meanwhile) this.add(runId, performance)
    } catch {
      // Without them every stage is as usual.
    } finally {
      this.#meanwhile = undefined
    }
  }
}

/** The last durations of one stage, in the order in which they came and in that of their size. */
class RecentDurations {
  readonly #recent: number[] = []
  readonly #sorted: number[] = []

  add(durationMs: number): void {
    if (this.#recent.length === mostRuns) this.#sorted.splice(this.#sorted.indexOf(this.#recent.shift() as number), 1)
    this.#recent.push(durationMs)
    const place = this.#sorted.findIndex(other => other > durationMs)
    this.#sorted.splice(place < 0 ? this.#sorted.length : place, 0, durationMs)
  }

  get median(): number {
    const { length } = this.#sorted
    const upper = this.#sorted[length >> 1] as number
    return length % 2 === 1 ? upper : (upper + (this.#sorted[(length >> 1) - 1] as number)) / 2
  }
}
