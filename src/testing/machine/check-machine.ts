/**
 * `checkMachine`: walks a machine at random, over pure transitions, with crashes and the passing of time among what
 * happens, until an invariant breaks; then finds the shortest trace that breaks it. Works for any XState v5 machine.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { seededRandom } from '../../time/random.ts'
import { withHeldAmbient } from '../ambient-clock.ts'
import { type CheckOptions, type CheckSettings, defaultMaxSteps, parseCheckOptions } from './check-options.ts'
import { type Coverage, CoverageRecorder } from './coverage.ts'
import { type EventType, eventTypesOf } from './event-types.ts'
import { ensureMachine } from './machine-argument.ts'
import { type Fails, shrinkTrace } from './shrink-trace.ts'
import { isTime, type Trace, type TraceStep } from './trace.ts'
import { pathOf, sourceOf, vitestFileOf } from './trace-text.ts'
import { crashInvariant, Twins, throwInvariant, type Violation } from './twins.ts'
import { type Outputs, Walk } from './walk.ts'

export interface MachineCheck {
  readonly ok: boolean
  /** What was broken, and how; absent where nothing was. */
  readonly violation?: Violation | undefined
  /** The walk that broke it. */
  readonly seed?: number | undefined
  /** The shortest way to break it that was found. */
  readonly trace?: readonly TraceStep[] | undefined
  /** The call that does it again. */
  readonly replay?: string | undefined
  /** The trace as a path through the statechart. */
  readonly path?: string | undefined
  /** A Vitest file that fails until the machine is mended. */
  readonly test?: string | undefined
  /** Walks and steps that were made. */
  readonly walks: number
  readonly steps: number
  readonly coverage: Coverage
  /** All of it for people. */
  readonly report: string
}

interface Broken {
  readonly violation: Violation
  readonly seed: number | undefined
  readonly trace: readonly TraceStep[]
}

/** When the clocks of the machines stand at the start: fixed, so that a date in a context is the same in each run. */
const startAt = Date.UTC(2026, 0, 1)

/**
 * Checks a machine; the same options find the same.
 * @throws OptionsError for what is no machine, options that it does not know, and forms of which nothing can be derived
 */
export function checkMachine<TMachine extends AnyStateMachine>(
  machine: TMachine,
  options: CheckOptions<TMachine> = {},
): MachineCheck {
  ensureMachine(machine, 'checkMachine')
  const settings = parseCheckOptions(options as CheckOptions, 'checkMachine options')
  const types = eventTypesOf(machine, settings.events)
  return new MachineChecking(machine, settings, types).run()
}

/**
 * Lets a machine live through one trace and checks it on the way: what `checkMachine` writes into a test.
 * @throws OptionsError
 */
export function checkTrace<TMachine extends AnyStateMachine>(
  machine: TMachine,
  trace: Trace,
  options: Pick<CheckOptions<TMachine>, 'invariants' | 'input' | 'persistence'> = {},
): MachineCheck {
  ensureMachine(machine, 'checkTrace')
  const settings = parseCheckOptions(options as CheckOptions, 'checkTrace options')
  const steps = trace.map(step => (typeof step === 'string' ? { type: step } : step))
  return new MachineChecking(machine, settings, []).follow(steps)
}

class MachineChecking {
  readonly #machine: AnyStateMachine
  readonly #settings: CheckSettings
  readonly #types: readonly EventType[]
  readonly #coverage: CoverageRecorder
  #walks = 0
  #steps = 0

  constructor(machine: AnyStateMachine, settings: CheckSettings, types: readonly EventType[]) {
    this.#machine = machine
    this.#settings = settings
    this.#types = types
    this.#coverage = new CoverageRecorder([machine])
  }

  /** Walk after walk. What the user asks for goes before what is built in: that is looked for to the end. */
  run(): MachineCheck {
    let builtIn: Broken | undefined
    for (const seed of this.#settings.seeds) {
      for (const broken of this.#walk(seed)) {
        if (broken.violation.invariant !== crashInvariant) return this.#failed(this.#shortest(broken))
        builtIn ??= broken
      }
      if (builtIn && this.#settings.invariants.length === 0) break
    }
    return builtIn ? this.#failed(this.#shortest(builtIn)) : this.#passed()
  }

  follow(trace: readonly TraceStep[]): MachineCheck {
    this.#walks = 1
    this.#steps = trace.length
    const found = this.#broken(trace, true)
    return found ? this.#failed({ ...found, seed: undefined }) : this.#passed()
  }

  /** What a walk breaks: at most one crash that was not survived, and then the first invariant. */
  #walk(seed: number): Broken[] {
    const random = seededRandom(seed)
    const twins = this.#twins(true)
    return this.#held(twins, () => {
      this.#walks++
      const trace: TraceStep[] = []
      const found: Broken[] = []
      let violation = twins.start()
      if (violation) return [{ violation, seed, trace }]
      const walk = new Walk(twins.original, { random, types: this.#types, outputs: this.#settings.outputs })
      while (trace.length < this.#settings.maxSteps) {
        const step = walk.next()
        if (!step) break
        trace.push(step)
        this.#steps++
        violation = twins.take(step)
        if (!violation) continue
        found.push({ violation, seed, trace: [...trace] })
        if (violation.invariant !== crashInvariant) break
        twins.forgetTwin()
      }
      return found
    })
  }

  #shortest({ violation, seed, trace }: Broken): Broken {
    const { invariant } = violation
    const isIt = (candidate: readonly TraceStep[]): boolean =>
      this.#broken(candidate)?.violation.invariant === invariant
    const fails: Fails = candidate => {
      if (isIt(candidate)) return candidate
      const retimed = this.#retimed(candidate)
      return retimed && isIt(retimed) ? retimed : undefined
    }
    const shortest = shrinkTrace(trace, fails, type => this.#types.find(known => known.type === type)?.data)
    const found = this.#broken(shortest)
    return found ? { ...found, seed } : { violation, seed, trace }
  }

  /** What a trace breaks first, and the part of it that does. */
  #broken(trace: readonly TraceStep[], covers = false): Omit<Broken, 'seed'> | undefined {
    const twins = this.#twins(covers)
    return this.#held(twins, () => {
      let violation = twins.start()
      for (let taken = 0; !violation && taken < trace.length; taken++) {
        violation = twins.take(trace[taken] as TraceStep)
        if (violation) return { violation, trace: trace.slice(0, taken + 1) }
      }
      return violation && { violation, trace: [] }
    })
  }

  /** The same with time passing up to what is scheduled next: what was left out before may have moved that. */
  #retimed(trace: readonly TraceStep[]): readonly TraceStep[] | undefined {
    if (!trace.some(isTime)) return undefined
    const twins = this.#twins(false)
    return this.#held(twins, () => {
      if (twins.start()) return undefined
      twins.forgetTwin()
      const retimed: TraceStep[] = []
      for (const step of trace) {
        const { untilNextMs } = twins.original
        const next: TraceStep = isTime(step) && untilNextMs !== undefined ? { ...step, ms: untilNextMs } : step
        retimed.push(next)
        if (twins.take(next)) break
      }
      return retimed
    })
  }

  #twins(covers: boolean): Twins {
    const { input, persistence, invariants } = this.#settings
    return new Twins(this.#machine, {
      input,
      persistence,
      invariants,
      witness: covers ? this.#coverage : undefined,
    })
  }

  #held<T>(twins: Twins, work: () => T): T {
    const random = seededRandom(1)
    return withHeldAmbient(() => startAt + twins.original.now, random, work)
  }

  #passed(): MachineCheck {
    const coverage = this.#coverage.coverage()
    const walks = this.#walks
    const steps = this.#steps
    const report = [
      `machine '${this.#machine.id}' holds: ${walks} walks of ${steps} steps in all`,
      `covered: ${coverage}`,
      ...this.#hints(),
    ].join('\n')
    return { ok: true, walks, steps, coverage, report }
  }

  #failed({ violation, seed, trace }: Broken): MachineCheck {
    const { input, persistence } = this.#settings
    const machine = this.#machine
    const isOwn = violation.invariant !== crashInvariant && violation.invariant !== throwInvariant
    const path = pathOf(machine, trace, { input, persistence })
    const test = vitestFileOf(machine, trace, { input, persistence, invariant: violation.invariant, isOwn })
    const replay = seed === undefined ? undefined : this.#replay(seed)
    const report = [
      `machine '${machine.id}' breaks '${violation.invariant}': ${violation.message}`,
      '',
      path,
      '',
      ...(replay === undefined ? [] : [`again: ${replay}`, '', 'as a test:', '', test]),
    ].join('\n')
    const coverage = this.#coverage.coverage()
    return {
      ok: false,
      violation,
      seed,
      trace,
      replay,
      path,
      test,
      walks: this.#walks,
      steps: this.#steps,
      coverage,
      report,
    }
  }

  #replay(seed: number): string {
    const { maxSteps, persistence, input, given } = this.#settings
    const options = [
      `seeds: [${seed}]`,
      ...given,
      ...(maxSteps === defaultMaxSteps ? [] : [`maxSteps: ${maxSteps}`]),
      ...(persistence === 'xstate' ? [] : [`persistence: '${persistence}'`]),
      ...(input === undefined ? [] : [`input: ${sourceOf(input)}`]),
    ]
    return `checkMachine(${this.#machine.id.replace(/\W/g, '') || 'machine'}, { ${options.join(', ')} })`
  }

  /** Ends of actors that no walk could bring about. */
  #hints(): string[] {
    const { outputs } = this.#settings
    const unknown = invokedIn(this.#machine).filter(
      id => outputs[id] === undefined && !hasSource(this.#machine.root, id, outputs),
    )
    return unknown.map(id => `'${id}' never ended well, since nothing says what it gives: outputs: { '${id}': z.… }`)
  }
}

const invokedIn = (machine: AnyStateMachine): string[] =>
  machine.events
    .filter(type => type.startsWith('xstate.done.actor.'))
    .map(type => type.slice('xstate.done.actor.'.length))

const hasSource = (node: AnyStateNode, id: string, outputs: Outputs): boolean =>
  node.invoke.some(invoke => invoke.id === id && typeof invoke.src === 'string' && outputs[invoke.src] !== undefined) ||
  Object.values(node.states).some(child => hasSource(child, id, outputs))
