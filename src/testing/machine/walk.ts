/**
 * The choice of the next step of a random walk. It looks at where the machine is: mostly an event that has a transition
 * there, now and then any; time up to what is scheduled next, or a part of it; the end of an actor that the machine has
 * invoked; and crashes among them all.
 */
import type { Arbitrary } from 'fast-check'
import { type AnyActorRef, getNextTransitions } from 'xstate'
import type { Random } from '../../time/random.ts'
import { fastCheckFor } from '../fast-check.ts'
import { type EventType, isOfXState } from './event-types.ts'
import type { Child, MachineWorld } from './machine-world.ts'
import { eventWith, type TraceStep } from './trace.ts'

/** What invoked actors give, by the id of the invoke or the name of the actor. */
export type Outputs = Readonly<Record<string, Arbitrary<unknown>>>

export interface WalkOptions {
  readonly random: Random
  readonly types: readonly EventType[]
  readonly outputs: Outputs
}

export class Walk {
  readonly #world: MachineWorld
  readonly #options: WalkOptions
  /** Actors whose end was already sent. */
  readonly #ended = new Set<AnyActorRef>()

  constructor(world: MachineWorld, options: WalkOptions) {
    this.#world = world
    this.#options = options
  }

  /** The next step, or undefined where nothing can happen any more. */
  next(): TraceStep | undefined {
    if (!this.#world.isActive) return undefined
    const chance = this.#options.random()
    const { untilNextMs } = this.#world
    if (chance < 0.15) return { type: 'holdfast.crash' }
    if (untilNextMs !== undefined && chance < 0.4) return this.#time(untilNextMs)
    const end = chance < 0.65 ? this.#end() : undefined
    return end ?? this.#event() ?? this.#end() ?? (untilNextMs === undefined ? undefined : this.#time(untilNextMs))
  }

  #time(untilNextMs: number): TraceStep {
    const { random } = this.#options
    const ms = random() < 0.75 ? untilNextMs : Math.floor(untilNextMs * random())
    return { type: 'holdfast.time', ms }
  }

  #event(): TraceStep | undefined {
    const { random, types } = this.#options
    const here = new Set(getNextTransitions(this.#world.snapshot).map(({ eventType }) => eventType))
    const taken = types.filter(({ type }) => here.has(type) || [...here].some(one => isMatch(type, one)))
    const chosen = pick(taken.length > 0 && random() < 0.85 ? taken : types, random)
    return chosen && eventWith(chosen.type, chosen.data && (this.#sample(chosen.data, chosen.type) as object))
  }

  /** The end of an actor, as the runtime would send it: with an output where its form is known, or with an error. */
  #end(): TraceStep | undefined {
    const { random, outputs } = this.#options
    const ends = this.#world.children.flatMap(child => this.#endsOf(child))
    const end = pick(ends, random)
    if (!end) return undefined
    this.#ended.add(end.ref)
    if (end.type.startsWith('xstate.error')) return { type: end.type, error: new Error('by chance'), actorId: end.id }
    const output = outputs[end.id] ?? outputs[end.src ?? '']
    return { type: end.type, output: output && this.#sample(output, `outputs.${end.id}`), actorId: end.id }
  }

  #endsOf(child: Child): { readonly ref: AnyActorRef; readonly type: string; readonly id: string; src?: string }[] {
    const { id, src } = child
    const ref = this.#world.snapshot.children[id] as AnyActorRef | undefined
    if (!ref || this.#ended.has(ref)) return []
    const { outputs } = this.#options
    const known = this.#world.machine.events.filter(isOfXState)
    const isKnown = outputs[id] !== undefined || (src !== undefined && outputs[src] !== undefined)
    return [
      ...(isKnown ? [`xstate.done.actor.${id}`] : []),
      ...(known.includes(`xstate.error.actor.${id}`) ? [`xstate.error.actor.${id}`] : []),
    ].map(type => ({ ref, type, id, ...(src === undefined ? {} : { src }) }))
  }

  #sample(arbitrary: Arbitrary<unknown>, place: string): unknown {
    const seed = Math.floor(this.#options.random() * 2 ** 31)
    return fastCheckFor(place).sample(arbitrary, { numRuns: 1, seed })[0]
  }
}

const isMatch = (type: string, descriptor: string): boolean =>
  descriptor === '*' || (descriptor.endsWith('.*') && type.startsWith(descriptor.slice(0, -1)))

function pick<T>(from: readonly T[], random: Random): T | undefined {
  return from[Math.floor(random() * from.length)]
}
