/**
 * A named circuit breaker over the circuit machine. The live actor gets an event only where something changes: every
 * failure, a success while failures are counted, and what happens while it is half-open; a call that succeeds through a
 * healthy circuit costs two comparisons. It sets no timer: what time has brought about is found when someone asks.
 */
import { createActor } from 'xstate'
import {
  type CircuitContext,
  type CircuitEvent,
  type CircuitState,
  type CircuitTransition,
  circuitContext,
  circuitMachine,
  probeOverdueAt,
} from '../../machines/circuit.machine.ts'
import { CircuitOpenError, SnapshotError } from '../errors.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type CircuitOptions, type CircuitPreset, type CircuitSettings, resolveCircuit } from './circuit-options.ts'
import { classifyError } from './classify.ts'

/** The right to make one call. The first of its three methods counts, later ones do nothing. */
export interface CircuitPermit {
  success(): void
  failure(): void
  /** The call ended without saying anything about the other side: it was cancelled, or was at fault itself. */
  release(): void
}

/** What a circuit reports, as plain data. */
export type CircuitReport =
  | ({ readonly type: 'circuit.changed'; readonly circuit: string } & CircuitTransition)
  | { readonly type: 'circuit.failed'; readonly circuit: string; readonly at: number; readonly failureCount: number }
  | { readonly type: 'circuit.refused'; readonly circuit: string; readonly at: number; readonly state: CircuitState }

export interface CircuitMetrics {
  readonly state: CircuitState
  readonly failureCount: number
  readonly calls: number
  readonly successes: number
  readonly failures: number
  readonly refusals: number
  /** Times that it opened; `trips` are those from closed. */
  readonly opens: number
  readonly trips: number
  readonly lastOpenMs: number
  /** The current period included. */
  readonly timeInStateMs: Readonly<Record<CircuitState, number>>
  /** The last 100. */
  readonly transitions: readonly CircuitTransition[]
}

/** A circuit as JSON data, to be given back to `createCircuit` as `snapshot`. */
export interface CircuitSnapshot {
  readonly name: string
  readonly version: 1
  readonly state: CircuitState
  readonly context: CircuitContext
  readonly totals: CircuitTotals
}

interface CircuitTotals {
  readonly calls: number
  readonly successes: number
  readonly failures: number
  readonly refusals: number
}

export interface Circuit {
  readonly name: string
  readonly state: CircuitState
  /** Consecutive failures while it is closed. */
  readonly failureCount: number
  readonly settings: CircuitSettings
  /** Whether a call would be let through now. */
  isAvailable(): boolean
  /** The time until it may let a call through, in ms; 0 where it would now, undefined while an operator holds it. */
  remainingMs(): number | undefined
  metrics(): CircuitMetrics
  /** Closes it, whatever its state. */
  reset(): void
  /** Takes it out: it refuses every call until it is reset. */
  isolate(): void
  snapshot(): CircuitSnapshot
  /** The right to make a call, or undefined where it is refused. */
  acquire(): CircuitPermit | undefined
  /** The error of a refused call. */
  refusal(): CircuitOpenError
  /**
   * Makes a call through the circuit. A fault of the request itself and a cancellation do not count.
   * @throws CircuitOpenError when the call is refused, else what `fn` throws
   */
  execute<T>(fn: () => T | Promise<T>): Promise<T>
  /** Stops its actor; it refuses everything after. */
  stop(): void
}

export interface CircuitSetup extends CircuitOptions {
  /** @default the system clock */
  readonly clock?: Clock | undefined
  /** Told of every failure, refusal and change of state; what it throws is dropped. */
  readonly onEvent?: ((report: CircuitReport) => void) | undefined
  /** To go on from, as `snapshot()` gave it; an open circuit keeps its remaining time. */
  readonly snapshot?: CircuitSnapshot | undefined
}

/**
 * A circuit breaker. By default 5 consecutive failures open it for 30 s, then at most 3 probes run at once and 2
 * successes close it.
 * @param options numbers by option, or a preset by name
 * @throws OptionsError for an unknown option, SnapshotError for a snapshot that is none
 */
export function createCircuit(name: string, options: CircuitSetup | CircuitPreset = {}): Circuit {
  if (typeof options === 'string') return new ActorCircuit(name, resolveCircuit(options), {})
  const { clock, onEvent, snapshot, ...numbers } = options
  return new ActorCircuit(name, resolveCircuit(numbers), { clock, onEvent, snapshot })
}

/** The same, from numbers that are resolved already. */
export function createResolvedCircuit(name: string, settings: CircuitSettings, setup: CircuitParts): Circuit {
  return new ActorCircuit(name, settings, setup)
}

/** The live actor of a circuit, whoever owns it. */
export interface CircuitActor {
  send(event: CircuitEvent): void
  getSnapshot(): { readonly value: CircuitState; readonly context: CircuitContext }
  stop(): void
}

/** How the actor of a circuit is started: by itself, or below a supervisor. */
export type StartCircuitActor = (
  name: string,
  logic: typeof circuitMachine,
  input: { readonly settings: CircuitSettings; readonly at: number },
  snapshot: ReturnType<typeof circuitMachine.resolveState> | undefined,
) => CircuitActor

type CircuitParts = Pick<CircuitSetup, 'clock' | 'onEvent' | 'snapshot'> & {
  readonly startActor?: StartCircuitActor | undefined
}

class ActorCircuit implements Circuit {
  readonly name: string
  readonly settings: CircuitSettings
  readonly #clock: Clock
  readonly #onEvent: ((report: CircuitReport) => void) | undefined
  readonly #actor: CircuitActor
  // Mirrors of the actor's snapshot, so that a healthy call reads two fields and touches no actor.
  #state: CircuitState
  #context: CircuitContext
  #totals: { calls: number; successes: number; failures: number; refusals: number }
  #lastPermit = 0
  #stopped = false

  constructor(name: string, settings: CircuitSettings, setup: CircuitParts) {
    this.name = name
    this.settings = settings
    this.#clock = setup.clock ?? systemClock
    this.#onEvent = setup.onEvent
    const at = this.#clock.now()
    const restored = setup.snapshot === undefined ? undefined : readSnapshot(name, setup.snapshot, settings)
    const state = restored && circuitMachine.resolveState({ value: restored.state, context: restored.context })
    this.#actor = (setup.startActor ?? startRootActor)(name, circuitMachine, { settings, at }, state)
    this.#totals = { calls: 0, successes: 0, failures: 0, refusals: 0, ...restored?.totals }
    this.#state = this.#actor.getSnapshot().value
    this.#context = this.#actor.getSnapshot().context
    // Probes that were under way died with their process.
    if (restored) this.#send({ type: 'PROCESS_RESTORED', at })
  }

  get state(): CircuitState {
    this.#catchUp()
    return this.#state
  }

  get failureCount(): number {
    return this.#context.failureCount
  }

  isAvailable(): boolean {
    return this.remainingMs() === 0
  }

  remainingMs(): number | undefined {
    this.#catchUp()
    if (this.#stopped || this.#state === 'isolated') return undefined
    if (this.#state === 'open') return Math.max(0, this.#context.probesFrom - this.#clock.now())
    if (this.#state === 'closed' || this.#context.probes.length < this.settings.maxProbes) return 0
    return Math.max(1, (probeOverdueAt(this.#context) ?? 0) - this.#clock.now())
  }

  metrics(): CircuitMetrics {
    this.#catchUp()
    const { failureCount, opens, trips, lastOpenMs, timeInStateMs, transitions, since } = this.#context
    const current = timeInStateMs[this.#state] + Math.max(0, this.#clock.now() - since)
    return {
      state: this.#state,
      failureCount,
      ...this.#totals,
      opens,
      trips,
      lastOpenMs,
      timeInStateMs: { ...timeInStateMs, [this.#state]: current },
      transitions,
    }
  }

  reset(): void {
    this.#catchUp()
    this.#send({ type: 'RESET', at: this.#clock.now() })
  }

  isolate(): void {
    this.#catchUp()
    this.#send({ type: 'ISOLATE', at: this.#clock.now() })
  }

  snapshot(): CircuitSnapshot {
    this.#catchUp()
    const data = { name: this.name, version: 1, state: this.#state, context: this.#context, totals: this.#totals }
    return JSON.parse(JSON.stringify(data)) as CircuitSnapshot
  }

  acquire(): CircuitPermit | undefined {
    if (this.#state !== 'closed') this.#catchUp()
    if (this.#stopped) return undefined
    if (this.#state === 'closed') {
      this.#totals.calls++
      return new CallPermit(this.#settle, this.#context.period, undefined)
    }
    if (this.#state === 'half-open' && this.#context.probes.length < this.settings.maxProbes) {
      this.#totals.calls++
      const permit = ++this.#lastPermit
      this.#send({ type: 'PROBE_STARTED', at: this.#clock.now(), permit })
      return new CallPermit(this.#settle, this.#context.period, permit)
    }
    this.#totals.refusals++
    this.#report({ type: 'circuit.refused', circuit: this.name, at: this.#clock.now(), state: this.#state })
    return undefined
  }

  refusal(): CircuitOpenError {
    const remainingMs = this.remainingMs()
    const state = this.#state
    const until =
      remainingMs === undefined
        ? 'until an operator resets it'
        : state === 'half-open'
          ? 'while its probes are under way'
          : `for another ${Math.ceil(remainingMs)} ms`
    return new CircuitOpenError(`circuit '${this.name}' is ${state} and refuses calls ${until}`, {
      circuit: this.name,
      state,
      // An isolated circuit lets nothing through by waiting.
      transient: remainingMs !== undefined,
      ...(remainingMs === undefined ? {} : { remainingMs, retryAfterMs: remainingMs }),
    })
  }

  async execute<T>(fn: () => T | Promise<T>): Promise<T> {
    const permit = this.acquire()
    if (permit === undefined) throw this.refusal()
    try {
      const result = await fn()
      permit.success()
      return result
    } catch (error) {
      const { kind, scope } = classifyError(error, { nowMs: this.#clock.now() })
      if (scope === 'request' || kind === 'cancelled') permit.release()
      else permit.failure()
      throw error
    }
  }

  stop(): void {
    this.#stopped = true
    this.#actor.stop()
  }

  readonly #settle = (outcome: Outcome, period: number, permit: number | undefined): void => {
    if (this.#stopped) return
    if (outcome === 'success') this.#totals.successes++
    if (outcome === 'failure') this.#totals.failures++
    if (permit === undefined) this.#settleCall(outcome, period)
    else this.#send({ type: probeEvents[outcome], at: this.#clock.now(), permit, period })
  }

  #settleCall(outcome: Outcome, period: number): void {
    if (outcome === 'release' || (outcome === 'success' && this.#context.failureCount === 0)) return
    const at = this.#clock.now()
    this.#send({ type: outcome === 'success' ? 'CALL_SUCCEEDED' : 'CALL_FAILED', at, period })
    if (outcome === 'failure') {
      const { failureCount } = this.#context
      this.#report({ type: 'circuit.failed', circuit: this.name, at, failureCount })
    }
  }

  /** Brings about what time has decided since someone last asked: at most an overdue probe, then the end of the open time. */
  #catchUp(): void {
    if (this.#state === 'closed' || this.#state === 'isolated' || this.#stopped) return
    const now = this.#clock.now()
    const overdueAt = this.#state === 'half-open' ? probeOverdueAt(this.#context) : undefined
    if (overdueAt !== undefined && overdueAt <= now) this.#send({ type: 'PROBE_OVERDUE', at: overdueAt })
    if (this.#state === 'open' && this.#context.probesFrom <= now) {
      this.#send({ type: 'OPEN_TIME_PASSED', at: this.#context.probesFrom })
    }
  }

  #send(event: CircuitEvent): void {
    if (this.#stopped) return
    const { period } = this.#context
    this.#actor.send(event)
    const snapshot = this.#actor.getSnapshot()
    this.#state = snapshot.value
    this.#context = snapshot.context
    const change = this.#context.period === period ? undefined : this.#context.transitions.at(-1)
    if (change) this.#report({ type: 'circuit.changed', circuit: this.name, ...change })
  }

  #report(report: CircuitReport): void {
    try {
      this.#onEvent?.(report)
    } catch {
      // A listener's fault must not fail the call that is reported.
    }
  }
}

type Outcome = 'success' | 'failure' | 'release'

const probeEvents = { success: 'PROBE_SUCCEEDED', failure: 'PROBE_FAILED', release: 'PROBE_RELEASED' } as const

class CallPermit implements CircuitPermit {
  #settle: ((outcome: Outcome, period: number, permit: number | undefined) => void) | undefined
  readonly #period: number
  readonly #probe: number | undefined

  constructor(
    settle: (outcome: Outcome, period: number, permit: number | undefined) => void,
    period: number,
    probe: number | undefined,
  ) {
    this.#settle = settle
    this.#period = period
    this.#probe = probe
  }

  success(): void {
    this.#end('success')
  }

  failure(): void {
    this.#end('failure')
  }

  release(): void {
    this.#end('release')
  }

  #end(outcome: Outcome): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.(outcome, this.#period, this.#probe)
  }
}

const startRootActor: StartCircuitActor = (name, logic, input, snapshot) => {
  const actor = createActor(logic, { id: `circuit:${name}`, input, ...(snapshot ? { snapshot } : {}) })
  actor.subscribe({ error: () => undefined })
  actor.start()
  return actor
}

/** The snapshot with the numbers that hold now; the time that an open circuit still has is kept. */
function readSnapshot(name: string, snapshot: CircuitSnapshot, settings: CircuitSettings): CircuitSnapshot {
  const parsed = circuitContext.safeParse(snapshot.context)
  if (snapshot.version !== 1 || !parsed.success || !Object.hasOwn(circuitMachine.states, snapshot.state)) {
    throw new SnapshotError(`the snapshot of circuit '${name}' cannot be read: it is not one that snapshot() gave`, {
      circuit: name,
    })
  }
  return { ...snapshot, context: { ...parsed.data, settings } }
}
