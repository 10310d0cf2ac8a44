/**
 * A stage or an item that is alive: it carries out what its machine asks for (attempts, preflight, remedies, fallback,
 * delays), and turns what came of it into events for the machine. It decides nothing.
 */
import type { AnyActorRef } from 'xstate'
import type {
  StageFailure,
  StageMachineContext,
  StageMachineEvent,
  StageOutcome,
  StagePolicy,
  StageRule,
} from '../../../machines/stage.machine.ts'
import {
  BudgetExceededError,
  CancelledError,
  decodeError,
  type EncodedError,
  encodeError,
  HoldfastError,
  StageError,
} from '../../errors.ts'
import type { ResolvedProfile } from '../../resilience/profiles.ts'
import type { JsonText } from '../../store/store.ts'
import { backoffDelayMs } from '../../time/backoff.ts'
import type { StageDefinition } from '../../workflow/definition.ts'
import { decodeResult, encodeResult, unwrapResult, wrapResult } from '../../workflow/results.ts'
import type { LastFailure } from '../../workflow/stage-context.ts'
import { countForAncestors, restartBudgetLeft } from '../calls/budget.ts'
import type { Attempt, LiveRun, LiveStage } from '../run/live.ts'
import type { ItemPlace, PreflightReport, Waiting, Where } from '../run/run-facts.ts'
import { progressMark } from '../run/run-memory.ts'
import { FunctionAttempt } from './attempt.ts'
import { createStageContext } from './attempt-context.ts'
import { bounded } from './bounded-work.ts'
import { checkedValue } from './checked-value.ts'
import { journalOfDecision } from './decisions.ts'
import { noteDivergence } from './divergence.ts'
import { describeFailure, hashOf, withoutStacks } from './failure.ts'

type Failed = Omit<Extract<StageMachineEvent, { type: 'ATTEMPT_FAILED' }>, 'type'>

export class ActorStage implements LiveStage {
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
    const { failure } = this.#context
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
    const { run } = this
    const { signal } = this.#startWork()
    run.afterCommit(() => {
      run.services.preflight(run.options.cwd, signal).then(
        report =>
          this.#conclude(signal, () => {
            const { monitors } = report
            const failed = report.healthy ? undefined : this.#failed(unfitGround(this.name, report))
            if (failed) run.journal('preflight.failed', { monitors, facts: factsOf(failed) }, { stage: this.name })
            else run.journal('preflight.passed', { monitors }, { stage: this.name })
            for (const monitor of report.monitors.filter(found => !found.healthy && !found.critical)) {
              run.degrade({ stage: this.name, component: monitor.name, reason: monitor.message })
            }
            return failed ? { type: 'PREFLIGHT_FAILED', ...failed } : { type: 'PREFLIGHT_PASSED' }
          }),
        error =>
          this.#conclude(signal, () => {
            const failed = this.#failed(error)
            run.journal(
              'preflight.failed',
              { monitors: [], error: encodeError(error), facts: factsOf(failed) },
              { stage: this.name },
            )
            return { type: 'PREFLIGHT_FAILED', ...failed }
          }),
      )
    })
  }

  applyRemedy(context: StageMachineContext): void {
    const { run } = this
    const { signal } = this.#startWork()
    const name = context.policy.remedies[context.remediesTried] as string
    run.afterCommit(() => {
      const remedy = Object.hasOwn(run.services.remedies, name) ? run.services.remedies[name] : undefined
      const applied = remedy
        ? this.#bounded(`remedy '${name}' of stage '${this.name}'`, signal, own =>
            remedy({ runId: run.id, stage: this.name, error: errorOf(context.failure), signal: own }),
          )
        : Promise.reject(
            new HoldfastError(
              'invalid_options',
              `there is no remedy '${name}'; give it to createRuntime({ remedies })`,
            ),
          )
      applied.then(
        () =>
          this.#conclude(signal, () => {
            run.journal('remedy.applied', { remedy: name }, { stage: this.name })
            return { type: 'REMEDY_APPLIED' }
          }),
        error =>
          this.#conclude(signal, () => {
            const failed = this.#failed(error)
            run.journal(
              'remedy.failed',
              { remedy: name, error: encodeError(error), facts: factsOf(failed) },
              { stage: this.name },
            )
            return { type: 'REMEDY_FAILED', ...failed }
          }),
      )
    })
  }

  runFallback(context: StageMachineContext): void {
    const { run, definition } = this
    const { signal } = this.#startWork()
    run.afterCommit(() => {
      this.#bounded(`the fallback of stage '${this.name}'`, signal, own =>
        definition.fallback?.({
          input: this.input,
          results: run.resultsOf(definition.ancestors),
          error: errorOf(context.failure),
          ...(this.item ? { item: this.itemValue() } : {}),
          signal: own,
        }),
      ).then(
        value =>
          this.#conclude(signal, () => {
            try {
              this.#resultData = encodeResult(value, `fallback of stage '${this.name}'`)
            } catch (error) {
              return this.#fallbackFailed(error)
            }
            return { type: 'FALLBACK_SUCCEEDED', output: this.output }
          }),
        error => this.#conclude(signal, () => this.#fallbackFailed(error)),
      )
    })
  }

  #fallbackFailed(error: unknown): StageMachineEvent {
    this.run.journal('fallback.failed', { error: encodeError(error) }, { stage: this.name })
    return { type: 'FALLBACK_FAILED', failure: describeFailure(error) }
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
    const where = this.where()
    const error = failure?.error as EncodedError | undefined
    if (outcome === 'succeeded') run.journalText('stage.succeeded', this.#resultData ?? wrapResult(undefined), where)
    else if (outcome === 'fell_back') {
      run.journalText('stage.fell_back', fellBackData(this.#result, error), where)
      run.noteDegraded({ stage: this.name, reason: error?.message ?? 'the stage fell back' })
    } else if (outcome === 'skipped') run.journal('stage.skipped', {}, where)
    else if (outcome === 'degraded') {
      run.journal('stage.degraded', { error }, where)
      run.noteDegraded({ stage: this.name, reason: error?.message ?? 'the stage was lost' })
    } else {
      run.journal('stage.failed', { error }, where)
      const status =
        outcome === 'quarantined' ? 'quarantined' : outcome === 'out_of_budget' ? 'budget_exceeded' : 'failed'
      const encoded =
        outcome === 'out_of_budget' && failure?.type !== 'budget'
          ? encodeError(
              new BudgetExceededError(
                `stage '${this.name}' would be restarted, and the budget allows no more restarts`,
                { currency: 'restarts' },
              ),
            )
          : (error ?? { name: 'StageError', message: `stage '${this.name}' failed` })
      if (run.definition.origin === 'built' || status !== 'failed')
        run.fail({ status, error: encoded, stage: this.name, attempt: this.#attempts })
      run.lastFailed = { stage: this.name, attempt: this.#attempts, message: encoded.message }
      return decodeError(encoded)
    }
    return undefined
  }

  get #attempts(): number {
    return this.run.memory.stages.get(this.name)?.attempts || 1
  }

  /** The value of this output for the machine of one's own that invoked the stage. */
  get output(): unknown {
    return decodeResult(this.#result)
  }

  get #result(): JsonText | undefined {
    return this.#resultData === undefined ? undefined : unwrapResult(this.#resultData)
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

  #startWork(): { signal: AbortSignal } {
    this.#work?.abort()
    this.#work = new AbortController()
    return { signal: this.#work.signal }
  }

  /** Work beside the function has the time of the stage. */
  #bounded(what: string, signal: AbortSignal, work: (signal: AbortSignal) => unknown): Promise<unknown> {
    return bounded({ clock: this.run.services.clock, limitMs: this.timeoutMs, what, signal }, work)
  }

  /** Sends what came of some work to the machine, unless the stage has gone on without it. */
  #conclude(signal: AbortSignal, event: () => StageMachineEvent): void {
    if (signal.aborted) return
    this.run.services.ready.push(() => {
      if (!signal.aborted) this.run.dispatch(() => this.ref.send(event()))
    })
  }

  #failAttempt(attempt: Attempt, thrown: unknown): void {
    const { run } = this
    const failed = this.#failed(thrown)
    const { failure } = failed
    run.memory.counters.failedAttempts++
    run.journal(
      'attempt.failed',
      { error: encodeError(thrown), kind: failure.kind, type: failure.type, facts: factsOf(failed) },
      this.where(attempt),
    )
    run.services.log.info(
      { runId: run.id, stage: this.name, attempt: attempt.number, kind: failure.kind },
      `attempt ${attempt.number} of stage '${this.name}' failed: ${failure.error.message}`,
    )
    this.ref.send({ type: 'ATTEMPT_FAILED', ...failed })
  }

  get #context(): StageMachineContext {
    return (this.ref.getSnapshot() as { context: StageMachineContext }).context
  }

  get #inputText(): string {
    const { definition, spec } = this.run
    return (definition.origin === 'machine' ? JSON.stringify(this.#input) : spec.input) ?? ''
  }

  /** What went wrong, with the time, the chance and the state of the run that the machine decides by. */
  #failed(thrown: unknown): Failed {
    const { run, profile } = this
    const { clock, random } = run.services
    const { retries, restarts, waits } = this.#context
    const at = clock.now()
    this.#inputHash ??= hashOf([this.#inputText, this.item?.map.items[this.item.index] ?? ''])
    return {
      failure: describeFailure(thrown, { causes: profile.causes, inputHash: this.#inputHash, nowMs: at }),
      at,
      delayMs: backoffDelayMs(profile.retry.backoff, retries + restarts + waits, random()),
      restartBudgetLeft: restartBudgetLeft(this),
      progress: progressMark(run.memory, this.name),
    }
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

/** What decides, without the error itself: so that the decision can be made again from the journal. */
function factsOf({ failure, ...rest }: Failed): object {
  const { error: _error, ...known } = failure
  return { ...known, ...rest }
}

function unfitGround(stage: string, { monitors }: PreflightReport): StageError {
  const faults = monitors
    .filter(found => !found.healthy && found.critical)
    .map(found => `${found.name}: ${found.message}`)
  return new StageError(`the preflight of stage '${stage}' failed: ${faults.join('; ')}`)
}

function fellBackData(result: JsonText | undefined, error: EncodedError | undefined): JsonText {
  const rest = `"error":${JSON.stringify(error ? withoutStacks(error) : null)}`
  return result === undefined ? `{${rest}}` : `{"result":${result},${rest}}`
}

const errorOf = (failure: StageFailure | null): Error =>
  failure ? decodeError(failure.error as EncodedError) : new StageError('the stage failed')
