/**
 * Two of the same machine that live through the same trace: the original, whose process never dies, and its twin, which
 * is crashed and restored whenever the trace says so. After each step the twin must be what the original is, and the
 * invariants must hold: the outcome of what crashed and was resumed is the outcome of what did not crash.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import { OptionsError } from '../../errors.ts'
import { differenceOf, show } from './differences.ts'
import { MachineWorld, type Persistence, type Witness } from './machine-world.ts'
import { stateText } from './state-text.ts'
import { applyStep, isCrash, type TraceStep } from './trace.ts'

/** What must hold in every state: `false` or an error says that it does not. */
export type Invariant<TSnapshot = AnyMachineSnapshot> = (
  snapshot: TSnapshot,
  moment: {
    /** What led here; undefined at the start. */
    readonly event: TraceStep | undefined
    /** The snapshot before it; undefined at the start. */
    readonly previous: TSnapshot | undefined
  },
) => unknown

export type NamedInvariants = readonly (readonly [name: string, invariant: Invariant<never>])[]

export interface Violation {
  /** The name of the invariant: yours, or one of `crash and restore` and `nothing throws`. */
  readonly invariant: string
  readonly message: string
}

export const crashInvariant = 'crash and restore'
export const throwInvariant = 'nothing throws'

export interface TwinsOptions {
  readonly input: unknown
  readonly persistence: Persistence
  readonly invariants: NamedInvariants
  readonly witness?: Witness | undefined
}

export class Twins {
  readonly original: MachineWorld
  readonly #twin: MachineWorld
  readonly #options: TwinsOptions
  #twinLives = true

  constructor(machine: AnyStateMachine, options: TwinsOptions) {
    this.#options = options
    this.original = new MachineWorld(machine, options.persistence, options.witness)
    this.#twin = new MachineWorld(machine, options.persistence)
  }

  /** Where the twin is, when it is somewhere else. */
  get twinState(): string {
    return stateText(this.#twin.snapshot.value)
  }

  start(): Violation | undefined {
    try {
      this.original.start(this.#options.input)
      this.#twin.start(this.#options.input)
    } catch (error) {
      return {
        invariant: throwInvariant,
        message: `the first transition threw ${thrown(error)}; if the machine needs an input, give it as \`input\``,
      }
    }
    return this.#broken(undefined, undefined)
  }

  /** What the step breaks, first what the user asks for. */
  take(step: TraceStep): Violation | undefined {
    const previous = this.original.snapshot
    if (!isCrash(step)) {
      try {
        applyStep(this.original, step)
      } catch (error) {
        return { invariant: throwInvariant, message: whyThrown(step, error) }
      }
      const broken = this.#broken(step, previous)
      if (broken) return broken
    }
    return this.#follow(step)
  }

  /** From now on only the original lives: what became of the twin is known. */
  forgetTwin(): void {
    this.#twinLives = false
  }

  #follow(step: TraceStep): Violation | undefined {
    if (!this.#twinLives) return undefined
    try {
      applyStep(this.#twin, step)
    } catch (error) {
      const what = isCrash(step) ? 'the snapshot cannot be persisted and restored' : 'after a restore an event throws'
      return { invariant: crashInvariant, message: `${what}: ${thrown(error)}` }
    }
    const difference = this.#difference()
    return difference === undefined ? undefined : { invariant: crashInvariant, message: difference }
  }

  #difference(): string | undefined {
    const { snapshot: is } = this.original
    const { snapshot: resumed } = this.#twin
    if (stateText(is.value) !== stateText(resumed.value)) {
      const lost = this.#lostTimer()
      return `without the crash the machine is in '${stateText(is.value)}', resumed after it in '${stateText(resumed.value)}'${lost}`
    }
    if (is.status !== resumed.status)
      return `without the crash its status is '${is.status}', after it '${resumed.status}'`
    const difference =
      differenceOf(is.context, resumed.context, 'context') ?? differenceOf(is.output, resumed.output, 'output')
    return difference && `after a restore ${difference.replace(': ', ' differs: it should be ')}`
  }

  #lostTimer(): string {
    const hasAfter = this.original.hasPassed && this.#options.persistence === 'xstate'
    return hasAfter
      ? "; XState's persistence forgets what is scheduled (`after`, delayed events), so a restored machine never gets it. Holdfast's runtime keeps it: run the machine there (`workflowFromMachine`), and check it with `persistence: 'holdfast'`"
      : ''
  }

  #broken(event: TraceStep | undefined, previous: AnyMachineSnapshot | undefined): Violation | undefined {
    for (const [name, invariant] of this.#options.invariants) {
      let verdict: unknown
      try {
        verdict = invariant(this.original.snapshot as never, { event, previous: previous as never })
      } catch (error) {
        return { invariant: name, message: thrown(error) }
      }
      if (typeof (verdict as { then?: unknown } | undefined)?.then === 'function') {
        throw new OptionsError(`invariant '${name}' returns a promise; an invariant of a machine must be synchronous`)
      }
      if (verdict !== false) continue
      const { value, context } = this.original.snapshot
      return { invariant: name, message: `it is false in '${stateText(value)}' with context ${show(context)}` }
    }
    return undefined
  }
}

function whyThrown(step: TraceStep, error: unknown): string {
  const carriesNothing = Object.keys(step).length === 1 && !step.type.startsWith('holdfast.')
  const hint = carriesNothing
    ? `; if ${step.type} carries data, say of what form: events: { ${JSON.stringify(step.type)}: z.object({ … }) }`
    : ''
  return `${step.type} threw ${thrown(error)}${hint}`
}

const thrown = (error: unknown): string => (error instanceof Error ? error.message || error.name : show(error))
