import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { createActor } from 'xstate'
import {
  type ChildExitedEvent,
  type SupervisorDecision,
  type SupervisorMachineEvent,
  type SupervisorMachineInput,
  supervisorContextSchema,
  supervisorMachine,
} from '../../../machines/supervisor.machine.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

type Exit = Omit<ChildExitedEvent, 'at'> & { readonly stepMs: number }

const inputs: fc.Arbitrary<SupervisorMachineInput> = fc.record({
  strategy: fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const),
  intensity: fc.integer({ min: 0, max: 5 }),
  periodMs: fc.integer({ min: 1, max: 50 }),
  autoShutdown: fc.constant('never' as const),
  backoff: fc.option(
    fc
      .record({
        kind: fc.constantFrom('exponential' as const, 'linear' as const, 'fixed' as const, 'decorrelated' as const),
        base: fc.integer({ min: 0, max: 50 }),
        span: fc.integer({ min: 0, max: 1000 }),
        jitter: fc.double({ min: 0, max: 1, noNaN: true }),
        resetAfterMs: fc.integer({ min: 0, max: 100 }),
      })
      .map(({ span, ...rest }) => ({ ...rest, max: rest.base + span })),
    { nil: null },
  ),
})

const exits: fc.Arbitrary<Exit> = fc.record({
  type: fc.constant('CHILD_EXITED' as const),
  id: fc.constantFrom('a', 'b'),
  unit: fc.double({ min: 0, max: 0.999, noNaN: true }),
  failures: fc.nat(5),
  previousDelayMs: fc.nat(100),
  restart: fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const),
  significant: fc.boolean(),
  reason: fc.constantFrom('normal' as const, 'abnormal' as const, 'shutdown' as const),
  ranMs: fc.integer({ min: -100, max: 200 }),
  otherSignificant: fc.boolean(),
  stepMs: fc.integer({ min: 0, max: 40 }),
})

const failures = exits.map(exit => ({ ...exit, restart: 'permanent' as const }))

function running(input: SupervisorMachineInput) {
  const actor = createActor(supervisorMachine, { input }).start()
  actor.send({ type: 'START' })
  actor.send({ type: 'CHILDREN_STARTED' })
  let at = 1_000_000
  return {
    context: () => actor.getSnapshot().context,
    /** The decision about an exit that comes so much later, or earlier where the clock steps back. */
    decide({ stepMs, ...exit }: Exit): SupervisorDecision {
      at += stepMs
      actor.send({ ...exit, at })
      return actor.getSnapshot().context.decision as SupervisorDecision
    },
    isOver: () => !actor.getSnapshot().matches('running'),
    status: () => actor.getSnapshot().status,
    tell: (event: SupervisorMachineEvent) => actor.send(event),
  }
}

const check = (property: fc.IProperty<never> | fc.IRawProperty<never>): void =>
  fc.assert(property as fc.IProperty<never>, { numRuns: propertyRuns })
const property = <T extends [unknown, ...unknown[]]>(
  ...args: [...{ [K in keyof T]: fc.Arbitrary<T[K]> }, (...values: T) => void]
): void => check(fc.property(...(args as unknown as [fc.Arbitrary<unknown>, () => void])) as never)

vi.setConfig({ testTimeout: propertyTimeoutMs })

describe('the supervisor machine decides', () => {
  it('property 9, pure: a child is restarted iff permanent, or transient and abnormal', () => {
    property<[SupervisorMachineInput, Exit]>(inputs, exits, (input, exit) => {
      const decision = running({ ...input, intensity: 1 }).decide(exit)
      const isWanted = exit.restart === 'permanent' || (exit.restart === 'transient' && exit.reason === 'abnormal')
      expect(decision.kind).toBe(isWanted ? 'restart' : 'leave')
    })
  })

  it('never restarts a temporary child', () => {
    property<[SupervisorMachineInput, Exit]>(inputs, exits, (input, exit) => {
      expect(running(input).decide({ ...exit, restart: 'temporary' }).kind).toBe('leave')
    })
  })

  it('has who goes along decided by the strategy and nothing else', () => {
    property<[SupervisorMachineInput, Exit]>(inputs, failures, (input, exit) => {
      const scope = { 'one-for-one': 'child', 'one-for-all': 'all', 'rest-for-one': 'rest' }[input.strategy]
      expect(running({ ...input, intensity: 1 }).decide(exit)).toMatchObject({ kind: 'restart', scope })
    })
  })

  it('property 18, pure: equal state, event and seed give equal decisions', () => {
    property<[SupervisorMachineInput, Exit[]]>(inputs, fc.array(exits, { maxLength: 20 }), (input, sequence) => {
      const [one, other] = [running(input), running(input)]
      for (const exit of sequence) {
        if (one.isOver()) break
        expect(one.decide(exit)).toEqual(other.decide(exit))
      }
    })
  })

  it('property 19, pure: with limit N exactly N restarts pass in any window, and one more escalates', () => {
    property<[SupervisorMachineInput, Exit[]]>(inputs, fc.array(failures, { maxLength: 30 }), (input, sequence) => {
      const machine = running(input)
      const times: number[] = []
      let at = 0
      for (const exit of sequence) {
        at += exit.stepMs
        const counted = times.filter(time => at - time <= input.periodMs).length
        const decision = machine.decide(exit)
        expect(decision.kind).toBe(counted < input.intensity ? 'restart' : 'escalate')
        expect(decision.counters.restarts).toBe(counted + 1)
        if (machine.isOver()) break
        times.push(at)
      }
    })
  })

  it('property 20, pure: at an age of exactly the period a restart still counts, to the millisecond', () => {
    property<[SupervisorMachineInput, Exit, number]>(
      inputs,
      failures,
      fc.constantFrom(-1, 0, 1),
      (input, exit, off) => {
        const machine = running({ ...input, intensity: 1 })
        expect(machine.decide(exit).kind).toBe('restart')
        const decision = machine.decide({ ...exit, stepMs: input.periodMs + off })
        expect(decision.kind).toBe(off === 1 ? 'restart' : 'escalate')
        expect(decision.counters.restarts).toBe(off === 1 ? 1 : 2)
      },
    )
  })

  it('property 21, pure: limit 0 escalates on the first failure', () => {
    property<[SupervisorMachineInput, Exit]>(inputs, failures, (input, exit) => {
      const machine = running({ ...input, intensity: 0 })
      expect(machine.decide(exit)).toMatchObject({ kind: 'escalate', rule: 'intensity' })
      expect(machine.context().outcome).toBe('intensity')
    })
  })

  it('property 22, pure: a clock that steps back neither frees nor loses units', () => {
    const steps = fc.array(fc.tuple(failures, fc.boolean(), fc.integer({ min: 1, max: 100_000 })), { maxLength: 20 })
    property<[SupervisorMachineInput, [Exit, boolean, number][]]>(inputs, steps, (input, sequence) => {
      const [stepped, steady] = [running(input), running(input)]
      for (const [exit, stepsBack, backMs] of sequence) {
        const seen = stepped.decide(stepsBack ? { ...exit, stepMs: -backMs } : exit)
        const expected = steady.decide(stepsBack ? { ...exit, stepMs: 0 } : exit)
        expect(seen).toEqual(expected)
        if (steady.isOver()) break
      }
    })
  })

  it('property 23, pure: failed start attempts count', () => {
    property<[SupervisorMachineInput, boolean[]]>(
      inputs,
      fc.array(fc.boolean(), { minLength: 6, maxLength: 12 }),
      (input, kinds) => {
        const actor = createActor(supervisorMachine, { input }).start()
        actor.send({ type: 'START' })
        actor.send({ type: 'CHILDREN_STARTED' })
        const facts = { id: 'a', at: 0, unit: 0, failures: 0, previousDelayMs: 0 }
        let decided = 0
        for (const isStart of kinds) {
          actor.send(
            isStart
              ? { type: 'START_FAILED', ...facts }
              : {
                  type: 'CHILD_EXITED',
                  ...facts,
                  restart: 'permanent',
                  significant: false,
                  reason: 'abnormal',
                  ranMs: 0,
                  otherSignificant: false,
                },
          )
          if (!actor.getSnapshot().matches('running')) break
          decided++
        }
        expect(decided).toBe(input.intensity)
      },
    )
  })

  it('property 24, pure: the window keeps at most N + 1 entries', () => {
    property<[SupervisorMachineInput, Exit[]]>(inputs, fc.array(failures, { maxLength: 40 }), (input, sequence) => {
      const machine = running(input)
      for (const exit of sequence) {
        if (machine.isOver()) break
        machine.decide(exit)
        expect(machine.context().window.chunks.flat().length).toBeLessThanOrEqual(input.intensity + 1)
      }
      expect(supervisorContextSchema.parse(JSON.parse(JSON.stringify(machine.context())))).toEqual(machine.context())
    })
  })

  it('property 27, pure: the delay is within [base, max], jitter included, by one declared formula', () => {
    property<[SupervisorMachineInput, Exit[]]>(inputs, fc.array(failures, { maxLength: 10 }), (input, sequence) => {
      const machine = running({ ...input, intensity: 100 })
      for (const exit of sequence) {
        const decision = machine.decide(exit)
        if (decision.kind !== 'restart') continue
        const { base, max } = input.backoff ?? { base: 0, max: 0 }
        expect(decision.delayMs).toBeGreaterThanOrEqual(base)
        expect(decision.delayMs).toBeLessThanOrEqual(max)
      }
    })
  })

  it('property 28, pure: the delay is monotone until the cap, without jitter', () => {
    const kinds = fc.constantFrom('exponential' as const, 'linear' as const, 'fixed' as const)
    property<[SupervisorMachineInput, 'exponential' | 'linear' | 'fixed', Exit]>(
      inputs,
      kinds,
      failures,
      (input, kind, exit) => {
        const backoff = { base: 10, max: 5000, resetAfterMs: 1e9, ...input.backoff, kind, jitter: 0 }
        const machine = running({ ...input, intensity: 100, backoff: { ...backoff, resetAfterMs: 1e9 } })
        let last = 0
        for (let failed = 0; failed < 12; failed++) {
          const decision = machine.decide({ ...exit, failures: failed })
          if (decision.kind !== 'restart') throw new Error(decision.kind)
          expect(decision.delayMs).toBeGreaterThanOrEqual(last)
          expect(decision.failures).toBe(failed + 1)
          last = decision.delayMs
        }
        expect(last).toBeLessThanOrEqual(backoff.max)
      },
    )
  })

  it('property 29, pure: failures in a row are forgotten only after the declared stability', () => {
    property<[SupervisorMachineInput, Exit]>(inputs, failures, (input, exit) => {
      const decision = running({ ...input, intensity: 1 }).decide(exit)
      if (decision.kind !== 'restart') throw new Error(decision.kind)
      const isStable = input.backoff !== null && exit.ranMs >= input.backoff.resetAfterMs
      expect(decision.failures).toBe(isStable ? 1 : exit.failures + 1)
    })
  })

  const rules = fc.constantFrom('never' as const, 'any-significant' as const, 'all-significant' as const)

  it('property 41, pure: auto-shutdown comes iff the significance rule holds, for children that ended by themselves', () => {
    property<[SupervisorMachineInput, Exit, 'never' | 'any-significant' | 'all-significant']>(
      inputs,
      exits,
      rules,
      (input, exit, autoShutdown) => {
        const decision = running({ ...input, intensity: 1, autoShutdown }).decide(exit)
        const endsForGood = decision.kind !== 'restart'
        const isDue =
          exit.significant &&
          (autoShutdown === 'any-significant' || (autoShutdown === 'all-significant' && !exit.otherSignificant))
        expect(decision.kind === 'auto-shutdown').toBe(endsForGood && isDue)
      },
    )
  })

  it("property 42, pure: a bystander's death never triggers auto-shutdown", () => {
    property<[SupervisorMachineInput, Exit[], 'never' | 'any-significant' | 'all-significant']>(
      inputs,
      fc.array(exits, { maxLength: 20 }),
      rules,
      (input, sequence, autoShutdown) => {
        const machine = running({ ...input, intensity: 100, autoShutdown })
        for (const exit of sequence) {
          expect(machine.decide({ ...exit, significant: false }).kind).not.toBe('auto-shutdown')
          expect(machine.isOver()).toBe(false)
        }
      },
    )
  })

  it('property 35, pure: exceeded at the root is a defined end, never an uncaught exception', () => {
    property<[SupervisorMachineInput, Exit[]]>(inputs, fc.array(failures, { maxLength: 20 }), (input, sequence) => {
      const machine = running({ ...input, intensity: 1 })
      for (const exit of sequence) {
        machine.decide(exit)
        expect(machine.status()).toBe('active')
      }
      if (!machine.isOver()) return
      machine.tell({ type: 'CHILDREN_STOPPED' })
      expect(machine.status()).toBe('done')
      expect(machine.context()).toMatchObject({ outcome: 'intensity', decision: { kind: 'escalate' } })
    })
  })
})
