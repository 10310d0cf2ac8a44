/**
 * A named circuit breaker over the circuit machine. Calls are counted by a pure reducer in a plain value; the machine
 * gets an event only at an edge and while it is half-open, so a call that succeeds through a healthy circuit costs two
 * comparisons. It sets no timer: what time has brought about is found when someone asks.
 */
import {
  type CircuitContext,
  type CircuitEvent,
  type CircuitState,
  circuitMachine,
  probeOverdueAt,
} from '../../machines/circuit.machine.ts'
import type { CircuitOpenError } from '../errors.ts'
import { checkFunction } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { speaksAgainstCallee } from './blame.ts'
import type { Circuit, CircuitMetrics, CircuitPermit, CircuitReport } from './circuit.ts'
import { type CircuitActor, type StartCircuitActor, startAlone } from './circuit-actor.ts'
import { transitionsOf, withTransition } from './circuit-history.ts'
import type { CircuitSettings } from './circuit-options.ts'
import { CallPermit, type PermitOutcome } from './circuit-permit.ts'
import { refusalOf } from './circuit-refusal.ts'
import { type CircuitSnapshot, type CircuitTotals, readSnapshot } from './circuit-snapshot.ts'
import { emptyWindow, windowAfter, windowTally, windowVerdict } from './circuit-window.ts'
import { classifyError } from './classify.ts'

/** What a circuit is made with, beside its name and its numbers. */
export interface CircuitParts {
  readonly clock?: Clock | undefined
  readonly onEvent?: ((report: CircuitReport) => void) | undefined
  readonly snapshot?: CircuitSnapshot | undefined
  readonly startActor?: StartCircuitActor | undefined
}

export class CircuitBreaker implements Circuit {
  readonly name: string
  readonly settings: CircuitSettings
  readonly #clock: Clock
  readonly #onEvent: ((report: CircuitReport) => void) | undefined
  readonly #actor: CircuitActor
  // Mirrors of the actor's snapshot, so that a healthy call reads two fields and touches no actor.
  #state: CircuitState
  #context: CircuitContext
  #window = emptyWindow
  #history: readonly number[] = []
  #calls = 0
  #successes = 0
  #failures = 0
  #refusals = 0
  #lastProbe = 0
  /** The latest time that the clock has shown. */
  #seenAt: number
  #stopped = false

  constructor(name: string, settings: CircuitSettings, parts: CircuitParts) {
    this.name = name
    this.settings = settings
    this.#clock = parts.clock ?? systemClock
    this.#onEvent = parts.onEvent
    const at = this.#clock.now()
    const restored = parts.snapshot === undefined ? undefined : readSnapshot(name, parts.snapshot, settings)
    const state = restored && circuitMachine.resolveState({ value: restored.state, context: restored.context })
    this.#actor = (parts.startActor ?? startAlone)(name, circuitMachine, { settings, at }, state)
    this.#state = this.#actor.getSnapshot().value
    this.#context = this.#actor.getSnapshot().context
    this.#seenAt = restored?.at ?? at
    if (restored) this.#goOnFrom(restored)
  }

  get state(): CircuitState {
    this.#catchUp()
    return this.#state
  }

  get failureCount(): number {
    return this.#window.consecutive
  }

  isAvailable(): boolean {
    return this.remainingMs() === 0
  }

  remainingMs(): number | undefined {
    this.#catchUp()
    if (this.#stopped || this.#state === 'isolated') return undefined
    if (this.#state === 'open') return Math.max(0, this.#context.probesFrom - this.#seenAt)
    if (this.#state === 'closed' || this.#context.probes.length < this.settings.maxProbes) return 0
    return Math.max(1, (probeOverdueAt(this.#context) ?? 0) - this.#seenAt)
  }

  metrics(): CircuitMetrics {
    this.#catchUp()
    const now = this.#now()
    const { opens, trips, lastOpenMs, timeInStateMs, since } = this.#context
    const current = timeInStateMs[this.#state] + Math.max(0, now - since)
    const { window: rules } = this.settings
    return {
      state: this.#state,
      failureCount: this.#window.consecutive,
      ...this.#totals(),
      opens,
      trips,
      lastOpenMs,
      ...(rules === undefined ? {} : { window: windowTally(this.#window, now, rules) }),
      timeInStateMs: { ...timeInStateMs, [this.#state]: current },
      transitions: transitionsOf(this.#history),
    }
  }

  reset(): void {
    this.#catchUp()
    this.#send({ type: 'RESET', at: this.#now() })
    this.#window = emptyWindow
  }

  isolate(): void {
    this.#catchUp()
    this.#send({ type: 'ISOLATE', at: this.#now() })
  }

  snapshot(): CircuitSnapshot {
    this.#catchUp()
    const data: CircuitSnapshot = {
      name: this.name,
      version: 1,
      state: this.#state,
      context: this.#context,
      totals: this.#totals(),
      window: this.#window,
      transitions: transitionsOf(this.#history),
      at: this.#now(),
    }
    return JSON.parse(JSON.stringify(data)) as CircuitSnapshot
  }

  acquire(): CircuitPermit | undefined {
    if (this.#state !== 'closed') this.#catchUp()
    if (this.#stopped) return undefined
    if (this.#state === 'closed') {
      this.#calls++
      return new CallPermit(this, this.#context.period, 0, this.#startOfCall())
    }
    if (this.#state === 'half-open' && this.#context.probes.length < this.settings.maxProbes) {
      this.#calls++
      const probe = ++this.#lastProbe
      this.#send({ type: 'PROBE_STARTED', at: this.#now(), permit: probe })
      return new CallPermit(this, this.#context.period, probe, this.#startOfCall())
    }
    this.#refusals++
    this.#report({ type: 'circuit.refused', circuit: this.name, at: this.#now(), state: this.#state })
    return undefined
  }

  refusal(): CircuitOpenError {
    const remainingMs = this.remainingMs()
    return refusalOf(this.name, this.#state, remainingMs)
  }

  async execute<T>(fn: () => T | Promise<T>): Promise<T> {
    checkFunction(fn, `circuit '${this.name}': what it executes`)
    const permit = this.acquire()
    if (permit === undefined) throw this.refusal()
    try {
      const result = await fn()
      permit.success()
      return result
    } catch (error) {
      if (speaksAgainstCallee(classifyError(error, { nowMs: this.#clock.now() }))) permit.failure()
      else permit.release()
      throw error
    }
  }

  stop(): void {
    this.#stopped = true
    this.#actor.stop()
  }

  /** The end of a call that was admitted; of its permit only. */
  settle(outcome: PermitOutcome, period: number, probe: number, startedAt: number): void {
    if (this.#stopped) return
    if (outcome === 'success') this.#successes++
    if (outcome === 'failure') this.#failures++
    if (probe !== 0) this.#settleProbe(outcome, period, probe, startedAt)
    else if (outcome === 'failure' || (outcome === 'success' && this.#isWatching())) {
      this.#settleCall(outcome, period, startedAt)
    }
  }

  /** Whether a success tells something that is not known yet. */
  #isWatching(): boolean {
    return this.#window.consecutive > 0 || this.settings.window !== undefined
  }

  #settleProbe(outcome: PermitOutcome, period: number, permit: number, startedAt: number): void {
    const at = this.#now()
    const { slow } = this.settings.window ?? {}
    // What opened it for being slow is not whole while it still is.
    const tooSlow = outcome === 'success' && slow !== undefined && at - startedAt > slow.afterMs
    const verdict = tooSlow ? 'failure' : outcome
    if (outcome !== 'release') this.#reportOutcome(outcome, at, outcome === 'failure' ? 1 : 0)
    this.#send({ type: probeEvents[verdict], at, permit, period })
  }

  /** Counts what began in the period that is now; a late result of an earlier one is only reported. */
  #settleCall(outcome: 'success' | 'failure', period: number, startedAt: number): void {
    const at = this.#now()
    const failed = outcome === 'failure'
    const counts = period === this.#context.period && this.#state === 'closed'
    const { consecutive } = this.#window
    const slowAfterMs = this.settings.window?.slow?.afterMs
    const slow = slowAfterMs !== undefined && at - startedAt > slowAfterMs
    if (counts) this.#window = windowAfter(this.#window, { at, failed, slow }, this.settings)
    // Looked at before anyone is told: a listener may reset the circuit.
    const verdict = counts && (failed || slow) ? windowVerdict(this.#window, at, this.settings) : undefined
    if (failed || consecutive > 0) this.#reportOutcome(outcome, at, this.#window.consecutive)
    if (verdict) this.#send({ type: openingEvents[verdict], at, period })
  }

  /** When the call began, where that will matter. */
  #startOfCall(): number {
    return this.settings.window?.slow === undefined ? 0 : this.#now()
  }

  /** The time, after telling the machine where the clock was set back. */
  #now(): number {
    const now = this.#clock.now()
    const byMs = this.#seenAt - now
    this.#seenAt = now
    if (byMs > 0) this.#send({ type: 'CLOCK_SET_BACK', at: now, byMs })
    return now
  }

  /** Brings about what time has decided since someone last asked: at most an overdue probe, then the end of the open time. */
  #catchUp(): void {
    if (this.#state === 'closed' || this.#state === 'isolated' || this.#stopped) return
    const now = this.#now()
    const overdueAt = this.#state === 'half-open' ? probeOverdueAt(this.#context) : undefined
    if (overdueAt !== undefined && overdueAt <= now) this.#send({ type: 'PROBE_OVERDUE', at: overdueAt })
    if (this.#state === 'open' && this.#context.probesFrom <= now) {
      this.#send({ type: 'OPEN_TIME_PASSED', at: this.#context.probesFrom })
    }
  }

  #send(event: CircuitEvent): void {
    if (this.#stopped) return
    const { period } = this.#context
    const from = this.#state
    this.#actor.send(event)
    const { value: to, context } = this.#actor.getSnapshot()
    this.#state = to
    this.#context = context
    if (context.period === period) return
    // The failures that opened it are told until it is closed again.
    const consecutive = to === 'open' || to === 'half-open' ? this.#window.consecutive : 0
    this.#window = { ...emptyWindow, consecutive }
    const change = { from, to, at: event.at, reason: context.reason }
    this.#history = withTransition(this.#history, change)
    this.#report({ type: 'circuit.changed', circuit: this.name, ...change })
  }

  #goOnFrom({ totals, window, transitions }: CircuitSnapshot): void {
    this.#calls = totals.calls
    this.#successes = totals.successes
    this.#failures = totals.failures
    this.#refusals = totals.refusals
    this.#window = window
    for (const change of transitions) this.#history = withTransition(this.#history, change)
    // Probes that were under way died with their process.
    this.#send({ type: 'PROCESS_RESTORED', at: this.#now() })
  }

  #totals(): CircuitTotals {
    return { calls: this.#calls, successes: this.#successes, failures: this.#failures, refusals: this.#refusals }
  }

  #reportOutcome(outcome: 'success' | 'failure', at: number, failureCount: number): void {
    const type = outcome === 'success' ? 'circuit.succeeded' : 'circuit.failed'
    if (this.#onEvent) this.#report({ type, circuit: this.name, at, failureCount })
  }

  #report(report: CircuitReport): void {
    try {
      this.#onEvent?.(report)
    } catch {
      // A listener's fault must not fail the call that is reported.
    }
  }
}

const probeEvents = { success: 'PROBE_SUCCEEDED', failure: 'PROBE_FAILED', release: 'PROBE_RELEASED' } as const
const openingEvents = {
  failures: 'FAILURES_REACHED',
  'failure ratio': 'FAILURE_RATIO_REACHED',
  'slow calls': 'SLOW_RATIO_REACHED',
} as const
