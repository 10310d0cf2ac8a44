/**
 * A stage or an item that is alive: it carries out what its machine asks for, attempts and delays itself and the rest by
 * `stage-work.ts`, and turns what came of it into events for the machine. It decides nothing.
 */
import type { AnyActorRef } from 'xstate'
import type {
  StageFailure,
  StageMachineContext,
  StageOutcome,
  StagePolicy,
  StageRule,
} from '../../../machines/stage.machine.ts'
import { CancelledError, encodeError } from '../../errors.ts'
import type { ResolvedProfile } from '../../resilience/profiles.ts'
import type { JsonText } from '../../store/store.ts'
import type { StageDefinition } from '../../workflow/definition.ts'
import { decodeResult, encodeResult, unwrapResult, wrapResult } from '../../workflow/results.ts'
import type { LastFailure } from '../../workflow/stage-context.ts'
import { countForAncestors } from '../calls/budget.ts'
import type { Attempt, LiveRun } from '../run/live.ts'
import type { ItemPlace, Waiting, Where } from '../run/run-facts.ts'
import { FunctionAttempt } from './attempt.ts'
import { createStageContext } from './attempt-context.ts'
import { checkedValue } from './checked-value.ts'
import { journalOfDecision } from './decisions.ts'
import { noteDivergence } from './divergence.ts'
import { hashOf } from './failure.ts'
import { contextOf, type FailureFacts, factsOfFailure, journalledFacts } from './failure-facts.ts'
import { recordEnd } from './stage-end.ts'
import { applyRemedy, runFallback, runPreflight, type WorkingStage } from './stage-work.ts'

export class ActorStage implements WorkingStage {
  readonly run: LiveRun
  readonly ref: AnyActorRef
  readonly definition: StageDefinition
  /** The stage's name, of an item `name[key]`, of a second start of an invoke id `name#2`. */
  readonly name: string
  readonly item: ItemPlace | undefined
  readonly profile: ResolvedProfile
  readonly policy: StagePolicy
  readonly timeoutMs: number
  attempt: FunctionAttempt | undefined

  #input: unknown
  /** As `encodeResult` gives it; absent as long as there is none. */
  #resultData: JsonText | undefined
  #work: AbortController | undefined
  #inputHash: string | undefined

  constructor(
    run: LiveRun,
    ref: AnyActorRef,
    definition: StageDefinition,
    name: string,
    item: ItemPlace | undefined,
    input: unknown,
  ) {
    this.run = run
    this.ref = ref
    this.definition = definition
    this.name = name
    this.item = item
    this.#input = input
    const rules = run.services.rulesOf(run.definition, definition, run.options.profile, run.options.overrides)
    this.profile = rules.profile
    this.timeoutMs = rules.timeoutMs
    this.policy = rules.policy
  }

  get input(): unknown {
    return this.run.definition.origin === 'machine' ? this.#input : this.run.input
  }

  set input(checked: unknown) {
    this.#input = checked
  }

  get warnAfterMs(): number | undefined {
    return this.definition.warnAfterMs
  }

  get parked(): Waiting | undefined {
    const { value, context } = this.ref.getSnapshot() as { value: unknown; context: StageMachineContext }
    if (value !== 'parked') return undefined
    return {
      stage: this.name,
      kind: 'cause',
      name: context.failure?.kind ?? 'unknown',
      ...(context.dueAt === null ? {} : { until: context.dueAt }),
    }
  }

  get lastFailure(): LastFailure | undefined {
    const { failure } = contextOf(this)
    return failure ? { type: failure.type, kind: failure.kind, message: failure.error.message } : undefined
  }

  where(attempt: { number: number; incarnation: number } | undefined = this.attempt): Where {
    return attempt
      ? { stage: this.name, attempt: attempt.number, incarnation: attempt.incarnation }
      : { stage: this.name }
  }

  // What the machine asks for.

  startAttempt(context: StageMachineContext): void {
    const { run } = this
    const recorded = run.memory.stages.get(this.name)?.outcome
    if (recorded) return run.atOnce(() => this.#replay(recorded))
    // A run rebuilt while it is being cancelled begins afresh, and is told to stop before it is at rest.
    if (run.status === 'cancelling') return
    if (this.attempt) this.#endAttempt(new CancelledError(`stage '${this.name}' starts again`, { stage: this.name }))
    const attempt = new FunctionAttempt(this, context.attempt, context.incarnation)
    this.attempt = attempt
    if (context.attempt > (run.memory.stages.get(this.name)?.attempts ?? 0)) run.memory.counters.attempts++
    run.journal('stage.attempted', {}, this.where(attempt))
    run.afterCommit(() => {
      run.services.attempts.acquire(() => {
        if (attempt.over || run.detached) return run.services.attempts.release()
        attempt.begin(execute)
      })
    })
  }

  runPreflight(): void {
    runPreflight(this, this.#startWork())
  }

  applyRemedy(context: StageMachineContext): void {
    applyRemedy(this, this.#startWork(), context)
  }

  runFallback(context: StageMachineContext): void {
    runFallback(this, this.#startWork(), context)
  }

  setDelay(context: StageMachineContext): void {
    this.run.timers.set(`delay:${this.name}`, context.dueAt ?? 0, { kind: 'delay', stage: this.name })
  }

  passDelay(): void {
    this.ref.send({ type: 'DELAY_PASSED' })
  }

  /** Writes down which rule decided, with its counters and what else there was. */
  explainDecision(rule: StageRule, context: StageMachineContext): void {
    const { run, policy } = this
    if (rule === 'restart' || rule === 'change_plan') {
      run.memory.counters.restarts++
      countForAncestors(run, { restarts: 1 })
    }
    const { type, data } = journalOfDecision(rule, context, policy, run.services.clock.now())
    run.journal(type, data, { stage: this.name })
  }

  /** An operator says how the stage ended, whatever it does now. */
  override(as: 'succeeded' | 'skipped', result: JsonText | undefined): void {
    const { run } = this
    this.abandon(run.stopReason(this.name))
    run.timers.clear(`delay:${this.name}`)
    this.#resultData = wrapResult(result)
    this.ref.send({ type: 'SETTLED', as, output: this.output })
  }

  /** The snapshot is older than the journal: the stage had ended already. */
  #replay(outcome: string): void {
    const result = this.run.memory.results.get(this.name)
    if (typeof result === 'string') this.#resultData = wrapResult(result)
    this.ref.send({
      type: 'SETTLED',
      as: outcome === 'skipped' ? 'skipped' : 'succeeded',
      output: decodeResult(result),
    })
  }

  // What came of an attempt.

  /** The function has ended, or its time is up; `abort` says why a function that still runs is to stop. */
  settle(attempt: FunctionAttempt, outcome: { value?: unknown; thrown?: unknown }, abort?: unknown): void {
    const { run } = this
    if (this.attempt !== attempt || attempt.over || run.detached) return
    run.dispatch(() => {
      if (abort === undefined) attempt.finish()
      else attempt.end(abort)
      this.attempt = undefined
      if (!('thrown' in outcome)) {
        try {
          this.#resultData = this.#checkedResult(outcome.value)
          run.memory.counters.crashes = 0
          noteDivergence(attempt)
          this.ref.send({
            type: 'ATTEMPT_SUCCEEDED',
            ...(run.definition.origin === 'machine' ? { output: this.output } : {}),
          })
          return
        } catch (error) {
          return this.#failAttempt(attempt, error)
        }
      }
      this.#failAttempt(attempt, outcome.thrown)
    })
  }

  /** The machine came to an end: writes it down. Returns the error that the actor ends with, if it failed. */
  ended(outcome: StageOutcome, failure: StageFailure | null | undefined): Error | undefined {
    const { run } = this
    run.stages.delete(this.ref)
    // Recorded already: by an operator, or in what the snapshot is older than.
    if (run.memory.stages.get(this.name)?.outcome) return undefined
    return recordEnd(this, outcome, failure, this.#resultData)
  }

  /** The value of this output for the machine of one's own that invoked the stage. */
  get output(): unknown {
    return decodeResult(this.#resultData === undefined ? undefined : unwrapResult(this.#resultData))
  }

  keepResult(data: JsonText): void {
    this.#resultData = data
  }

  itemValue(): unknown {
    return this.item ? JSON.parse(this.item.map.items[this.item.index] as JsonText) : undefined
  }

  /** Stops what is under way, without a word to the machine: the run pauses, ends or leaves memory. */
  abandon(reason: unknown): void {
    this.#endAttempt(reason)
    this.#work?.abort(reason)
    this.#work = undefined
  }

  /** The run leaves memory while the stage only waits; its function starts again when the run is back. */
  suspend(reason: unknown): void {
    this.attempt?.suspend(reason)
    this.attempt = undefined
  }

  #endAttempt(reason: unknown): void {
    const { attempt } = this
    this.attempt = undefined
    if (!attempt || attempt.over) return
    attempt.end(reason)
  }

  #startWork(): AbortSignal {
    this.#work?.abort()
    this.#work = new AbortController()
    return this.#work.signal
  }

  #failAttempt(attempt: Attempt, thrown: unknown): void {
    const { run } = this
    const failed = this.factsOf(thrown)
    const { failure } = failed
    run.memory.counters.failedAttempts++
    run.journal(
      'attempt.failed',
      { error: encodeError(thrown), kind: failure.kind, type: failure.type, facts: journalledFacts(failed) },
      this.where(attempt),
    )
    run.services.log.info(
      { runId: run.id, stage: this.name, attempt: attempt.number, kind: failure.kind },
      `attempt ${attempt.number} of stage '${this.name}' failed: ${failure.error.message}`,
    )
    this.ref.send({ type: 'ATTEMPT_FAILED', ...failed })
  }

  /** What went wrong, with all that the machine decides by. */
  factsOf(thrown: unknown): FailureFacts {
    this.#inputHash ??= hashOf([this.#inputText, this.item?.map.items[this.item.index] ?? ''])
    return factsOfFailure(this, thrown, this.#inputHash)
  }

  get #inputText(): string {
    const { definition, spec } = this.run
    return (definition.origin === 'machine' ? JSON.stringify(this.#input) : spec.input) ?? ''
  }

  #checkedResult(value: unknown): JsonText {
    const where = `result of stage '${this.name}'`
    if (!this.definition.output) return encodeResult(value, where)
    return encodeResult(checkedValue(this.definition.output, value, where, { stage: this.name }), where)
  }
}

function execute(attempt: Attempt): unknown {
  return attempt.stage.definition.run(createStageContext(attempt))
}
