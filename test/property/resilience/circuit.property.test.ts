import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { initialTransition, transition } from 'xstate'
import { type CircuitEvent, circuitContext, circuitMachine } from '../../../machines/circuit.machine.ts'
import type { Circuit, CircuitPermit } from '../../../src/resilience/circuit.ts'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'
import type { Clock } from '../../../src/time/clock.ts'

const numRuns = 2 * Number(process.env.HOLDFAST_PROPERTY_RUNS ?? 100)

type Step =
  | { readonly do: 'begin' }
  | { readonly do: 'success' | 'failure' | 'release'; readonly which: number }
  | { readonly do: 'wait' | 'setBack'; readonly ms: number }
  | { readonly do: 'crash' | 'reset' | 'isolate' }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Step>({ do: 'begin' }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constantFrom('success', 'failure', 'failure', 'release'), which: fc.nat(5) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 0, max: 700 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash', 'reset', 'isolate') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('setBack'), ms: fc.integer({ min: 0, max: 100_000 }) }) },
  ) as fc.Arbitrary<Step>,
  { maxLength: 120 },
)

/** Where the time itself is what is looked at. */
const forward = steps.map(walked => walked.filter(step => step.do !== 'setBack'))

const settings = fc.record({
  failureThreshold: fc.integer({ min: 1, max: 4 }),
  openTime: fc.integer({ min: 1, max: 500 }),
  maxProbes: fc.integer({ min: 1, max: 3 }),
  successThreshold: fc.integer({ min: 1, max: 3 }),
  halfOpenTime: fc.integer({ min: 1, max: 500 }),
  openGrowth: fc.constantFrom(1, 2, 3),
  longestOpenTime: fc.constant(2000),
  calmTime: fc.integer({ min: 0, max: 1000 }),
  window: fc.option(
    fc.record(
      {
        time: fc.constant(1000),
        minimumCalls: fc.integer({ min: 1, max: 5 }),
        slowAfter: fc.constantFrom(100, undefined),
      },
      { requiredKeys: ['minimumCalls'] },
    ),
    { nil: undefined },
  ),
})

const startAt = 1_000_000

/** A circuit, what is under way through it, and a time that only the walk moves. */
class Walk {
  now = startAt
  circuit: Circuit
  permits: CircuitPermit[] = []
  /** Of the permits, those that were given while it was half-open, since it last changed. */
  probes = new Set<CircuitPermit>()
  readonly #options: object
  readonly #clock: Clock = { now: () => this.now, setTimeout: () => undefined, clearTimeout: () => undefined }

  constructor(options: object) {
    this.#options = options
    this.circuit = this.#create()
  }

  take(step: Step): void {
    if (step.do === 'wait') this.now += step.ms
    else if (step.do === 'setBack') this.now -= step.ms
    else if (step.do === 'crash') this.#crash()
    else if (step.do === 'reset' || step.do === 'isolate') this.circuit[step.do]()
    else if (step.do === 'begin') this.#begin()
    else if ('which' in step) this.#end(step.do, step.which)
    if (this.circuit.state !== 'half-open') this.probes.clear()
  }

  #begin(): void {
    const { state } = this.circuit
    const available = this.circuit.isAvailable()
    const permit = this.circuit.acquire()
    expect(permit !== undefined).toBe(available)
    if (permit === undefined) return
    this.permits.push(permit)
    if (state === 'half-open') this.probes.add(permit)
  }

  #end(outcome: 'success' | 'failure' | 'release', which: number): void {
    const [permit] = this.permits.splice(which % Math.max(1, this.permits.length), 1)
    if (permit === undefined) return
    permit[outcome]()
    this.probes.delete(permit)
  }

  #crash(): void {
    const snapshot = JSON.parse(JSON.stringify(this.circuit.snapshot()))
    this.circuit.stop()
    // What the dead process had under way is never heard of again, or comes too late to count.
    for (const permit of this.permits) permit.failure()
    this.permits = []
    this.probes.clear()
    this.circuit = this.#create(snapshot)
  }

  #create(snapshot?: object): Circuit {
    return createCircuit('walk', { ...this.#options, clock: this.#clock, snapshot: snapshot as never })
  }
}

describe('a circuit on a random walk with crashes', () => {
  test('never has more probes under way than allowed', () => {
    fc.assert(
      fc.property(settings, steps, (options, walked) => {
        const walk = new Walk(options)
        for (const step of walked) {
          walk.take(step)
          expect(walk.probes.size).toBeLessThanOrEqual(options.maxProbes)
        }
      }),
      { numRuns },
    )
  })

  test('is never stuck: left alone it lets a call through, and successes close it', () => {
    fc.assert(
      fc.property(settings, steps, (options, walked) => {
        const walk = new Walk(options)
        for (const step of walked) walk.take(step)
        if (walk.circuit.state === 'isolated') walk.circuit.reset()
        walk.now += options.halfOpenTime + options.longestOpenTime
        for (let i = 0; i < options.successThreshold; i++) {
          const permit = walk.circuit.acquire()
          expect(permit).toBeDefined()
          permit?.success()
        }
        expect(walk.circuit.state).toBe('closed')
      }),
      { numRuns },
    )
  })

  test('is never open for longer than its bound, whatever the clock does', () => {
    fc.assert(
      fc.property(settings, steps, (options, walked) => {
        const walk = new Walk(options)
        for (const step of walked) {
          walk.take(step)
          const { circuit } = walk
          const bound = circuit.state === 'open' ? options.longestOpenTime : options.halfOpenTime
          if (circuit.state !== 'isolated') expect(circuit.remainingMs()).toBeLessThanOrEqual(bound)
        }
      }),
      { numRuns },
    )
  })

  test('accounts for all of the time', () => {
    fc.assert(
      fc.property(settings, forward, (options, walked) => {
        const walk = new Walk(options)
        for (const step of walked) {
          walk.take(step)
          const { timeInStateMs } = walk.circuit.metrics()
          const sum = Object.values(timeInStateMs).reduce((total, ms) => total + ms, 0)
          expect(sum).toBe(walk.now - startAt)
        }
      }),
      { numRuns },
    )
  })

  test('moves only along its edges, and its record is one unbroken chain', () => {
    const edges = new Set([
      'closed open',
      'open half-open',
      'half-open closed',
      'half-open open',
      'open closed',
      'isolated closed',
      'closed isolated',
      'open isolated',
      'half-open isolated',
    ])
    fc.assert(
      fc.property(settings, forward, (options, walked) => {
        const walk = new Walk(options)
        for (const step of walked) walk.take(step)
        let from = 'closed'
        let at = startAt
        for (const move of walk.circuit.metrics().transitions) {
          expect([move.from, edges.has(`${move.from} ${move.to}`), move.at >= at]).toEqual([from, true, true])
          from = move.to
          at = move.at
        }
        expect(walk.circuit.state).toBe(from)
      }),
      { numRuns },
    )
  })
})

describe('the circuit machine', () => {
  const event: fc.Arbitrary<CircuitEvent> = fc.record({
    type: fc.constantFrom(
      'FAILURES_REACHED',
      'FAILURE_RATIO_REACHED',
      'SLOW_RATIO_REACHED',
      'CLOCK_SET_BACK',
      'OPEN_TIME_PASSED',
      'PROBE_STARTED',
      'PROBE_SUCCEEDED',
      'PROBE_FAILED',
      'PROBE_RELEASED',
      'PROBE_OVERDUE',
      'PROCESS_RESTORED',
      'RESET',
      'ISOLATE',
    ),
    at: fc.integer({ min: 0, max: 5000 }),
    period: fc.nat(4),
    permit: fc.nat(4),
    byMs: fc.nat(500),
  }) as fc.Arbitrary<CircuitEvent>

  test('keeps a context of its schema under any events, in any order, at any time, through JSON', () => {
    const input = {
      settings: { openMs: 100, maxProbes: 2, successThreshold: 2, halfOpenMs: 100 },
      at: 0,
    }
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), events => {
        let [snapshot] = initialTransition(circuitMachine, input)
        for (const one of events) {
          const restored = circuitMachine.resolveState({
            value: snapshot.value,
            context: JSON.parse(JSON.stringify(snapshot.context)),
          })
          ;[snapshot] = transition(circuitMachine, restored, one)
          expect(circuitContext.safeParse(snapshot.context).error).toBeUndefined()
          expect(snapshot.context.probes.length).toBeLessThanOrEqual(2)
        }
      }),
    )
  })
})
