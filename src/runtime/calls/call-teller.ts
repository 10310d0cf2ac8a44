/**
 * What the journal, the incidents and the metrics hear of a model call: each try and each hop as it happens, with who was
 * asked, what was wrong and what followed.
 */

import type { ModelCallEvent } from '../../resilience/call-events.ts'
import { circuitsOfTarget } from '../../resilience/call-gate.ts'
import { isEnded } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import type { StageMetrics } from '../../workflow/stage-context.ts'
import type { Attempt } from '../run/live.ts'
import type { Incidents } from './incidents.ts'

export class CallTeller {
  readonly #attempt: Attempt
  readonly #key: string
  readonly #task: string
  readonly #incidents: Incidents

  constructor(attempt: Attempt, key: string, task: string, incidents: Incidents) {
    this.#attempt = attempt
    this.#key = key
    this.#task = task
    this.#incidents = incidents
  }

  /** What the journal, the incidents and the metrics hear of the call while it is made. */
  note(event: ModelCallEvent): void {
    const { stage } = this.#attempt
    const { run } = stage
    const incidents = this.#incidents
    if (run.detached || isEnded(run.status)) return
    if (event.type === 'attempt.refused') incidents.meet({ circuit: event.circuit, runId: run.id, stage: stage.name })
    if (event.type === 'attempt.failed') {
      for (const circuit of circuitsOfTarget(event)) {
        incidents.meet({ circuit, runId: run.id, stage: stage.name, failure: event.failure })
      }
    }
    const news = incidents.news()
    if (news.length === 0 && (this.#attempt.over || !isTold(event))) return
    run.dispatch(() => {
      for (const { type, incident } of news) this.journal(type, incident)
      if (event.type === 'attempt.failed' || event.type === 'attempt.refused') this.#journalAttempt(event)
      if (event.type === 'fallback.decided') this.#journalFallback(event)
    })
  }

  #journalAttempt(event: Extract<ModelCallEvent, { type: 'attempt.failed' | 'attempt.refused' }>): void {
    const { provider, model, tier, key } = event
    const who = { provider, model, tier, ...(key === undefined ? {} : { apiKey: key }) }
    if (event.type === 'attempt.refused') {
      const { circuit } = event
      this.journal('call.attempted', { ...who, outcome: 'refused', kind: 'circuit_open', circuit })
      return
    }
    const { kind, message, scope, retryAfterMs } = event.failure
    const { durationMs } = event
    const hint = retryAfterMs === undefined ? {} : { retryAfterMs }
    this.journal('call.attempted', { ...who, outcome: 'failed', kind, scope, error: message, durationMs, ...hint })
  }

  #journalFallback(event: Extract<ModelCallEvent, { type: 'fallback.decided' }>): void {
    const { provider, model, tier, key, from, kind, rule } = event
    const to = { provider, model, tier, ...(key === undefined ? {} : { apiKey: key }) }
    this.journal('call.fell_back', { from, to, kind, rule })
    this.#metrics().increment('holdfast_fallbacks_total', 1, { from: from.provider, to: provider, kind })
  }

  count(outcome: 'succeeded' | 'failed', who: { provider: string; model: string } | undefined): void {
    const { provider = 'none', model = 'none' } = who ?? {}
    const task = this.#task
    this.#metrics().increment('holdfast_model_calls_total', 1, { provider, model, task, outcome })
  }

  #metrics(): StageMetrics {
    const { run, name } = this.#attempt.stage
    return run.services.metrics.of(name, run.definition.name)
  }

  /** To be called within a dispatch. */
  journal(type: JournalEventType, data: object): void {
    const { stage } = this.#attempt
    stage.run.journal(type, { key: this.#key, ...data }, stage.where(this.#attempt))
  }
}

/** What went well is told at the end of the call, at once for all its attempts. */
const isTold = ({ type }: ModelCallEvent): boolean =>
  type === 'attempt.failed' || type === 'attempt.refused' || type === 'fallback.decided'
