/**
 * A workflow as it runs in a simulation: the same definition, whose stages are watched. Their functions begin and end at
 * turns of the event loop that the seed chooses, what they do by themselves is found, their steps are held against the
 * ledger, and a stand-in takes the place of one that needs the real world.
 */
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import type { Random } from '../../time/random.ts'
import {
  type AnyWorkflow,
  definitionOf,
  isWorkflow,
  type StageDefinition,
  type WorkflowDefinition,
  workflowBrand,
} from '../../workflow/definition.ts'
import { stageOf } from '../../workflow/stage-actor.ts'
import type { StageContext, StepContext } from '../../workflow/stage-context.ts'
import { arbitraryOfSchema } from '../arbitrary-of-schema.ts'
import { inPlace, type Place } from './outside-world.ts'
import { sampleOf } from './samples.ts'

/**
 * By stage name: a function that takes the stage's place, or what it returns; `true` of a stage with an `output` schema:
 * data of that schema, by chance.
 */
export type StandIns = Readonly<Record<string, unknown>>

export interface StageWatch {
  readonly random: Random
  readonly standIns: StandIns
  /** Where the code of the simulation runs; `stage` is set for that of a stage. */
  place(stage: string | undefined): Place
  /** False where the process is dead, and nothing begins any more. */
  stepBegins(idempotencyKey: string): boolean
  /** A workflow that is started from within another. */
  childStarts(workflow: AnyWorkflow): void
  /** Returns what is to be called at the end. */
  executionBegins(context: StageContext): () => void
}

export class WatchedWorkflows {
  readonly #watch: StageWatch
  readonly #known = new Map<WorkflowDefinition, AnyWorkflow>()

  constructor(watch: StageWatch) {
    this.#watch = watch
  }

  of(workflow: AnyWorkflow): AnyWorkflow {
    const definition = definitionOf(workflow)
    const known = this.#known.get(definition)
    if (known) return known
    const watched = this.#watched(definition)
    const made: AnyWorkflow = { name: workflow.name, version: workflow.version, [workflowBrand]: () => watched }
    this.#known.set(definition, made)
    this.#known.set(watched, made)
    return made
  }

  #child(workflow: AnyWorkflow): AnyWorkflow {
    this.#watch.childStarts(workflow)
    return this.of(workflow)
  }

  #watched(definition: WorkflowDefinition): WorkflowDefinition {
    const stages = new Map([...definition.stages].map(([name, stage]) => [name, this.#stage(stage, name)]))
    const machine = definition.origin === 'built' ? definition.machine : this.#machine(definition.machine)
    return { ...definition, stages, machine }
  }

  /** A machine of the user's own, whose stages are watched, in the machines within it too. */
  #machine(machine: AnyStateMachine): AnyStateMachine {
    const actors: Record<string, AnyActorLogic> = {}
    for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, AnyActorLogic>)) {
      const stage = stageOf(logic)
      if (stage) actors[name] = withStage(logic, stage, this.#stage(stage, name))
      else actors[name] = isMachine(logic) ? this.#machine(logic) : logic
    }
    return machine.provide({ actors } as never)
  }

  #stage(stage: StageDefinition, name: string): StageDefinition {
    const run = Object.hasOwn(this.#watch.standIns, name) ? this.#standIn(stage, name) : stage.run
    return { ...stage, run: context => this.#execute(run, context) }
  }

  #standIn(stage: StageDefinition, name: string): StageDefinition['run'] {
    const standIn = this.#watch.standIns[name]
    if (standIn === true && stage.output) {
      const made = arbitraryOfSchema(stage.output, `stages.${name}`)
      return () => sampleOf(made, this.#watch.random)
    }
    return typeof standIn === 'function' ? (standIn as StageDefinition['run']) : () => standIn
  }

  async #execute(run: StageDefinition['run'], context: StageContext): Promise<unknown> {
    const ends = this.#watch.executionBegins(context)
    try {
      await this.#turns()
      // Everything that the function does, and what follows from it, is done in the name of the stage.
      return await inPlace(this.#watch.place(context.stage), async () => run(this.#context(context)))
    } finally {
      await this.#turns()
      ends()
    }
  }

  /** What the function is given: behind it Holdfast works, which is not the stage. */
  #context(context: StageContext): StageContext {
    const outside = this.#watch.place(undefined)
    const wrapped = (value: unknown, self: unknown): unknown => {
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => inPlace(outside, () => Reflect.apply(value, self, given))
    }
    const behind = <T extends object>(target: T): T =>
      new Proxy(target, { get: (object, key) => wrapped(Reflect.get(object, key), object) })
    return new Proxy(context, {
      get: (target, key) => {
        const value = inPlace(outside, () => Reflect.get(target, key)) as unknown
        if (key === 'step') return (...given: unknown[]) => this.#step(context, given)
        if (key === 'startChild') {
          return async (child: unknown, ...given: unknown[]) => {
            const known = isWorkflow(child) ? this.#child(child) : (child as never)
            return behind(await inPlace(outside, () => context.startChild(known, ...(given as [unknown]))))
          }
        }
        if (key === 'model' || key === 'log' || key === 'metrics') return behind(value as object)
        return wrapped(value, target)
      },
    })
  }

  #step(context: StageContext, given: readonly unknown[]): unknown {
    const place = this.#watch.place(context.stage)
    const watched = given.map(one => {
      if (typeof one !== 'function') return one
      return (step: StepContext) => {
        if (!this.#watch.stepBegins(step.idempotencyKey)) return new Promise<never>(() => {})
        return inPlace(place, () => (one as (step: StepContext) => unknown)(step))
      }
    })
    return inPlace(this.#watch.place(undefined), () => (context.step as (...all: unknown[]) => unknown)(...watched))
  }

  async #turns(): Promise<void> {
    for (let turns = Math.floor(this.#watch.random() * 4); turns > 0; turns--) {
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }
}

/** The same logic, which carries another stage. */
function withStage(logic: AnyActorLogic, stage: StageDefinition, other: StageDefinition): AnyActorLogic {
  const key = Object.getOwnPropertySymbols(logic).find(
    symbol => (logic as unknown as Record<symbol, unknown>)[symbol] === stage,
  )
  return Object.create(logic, { [key as symbol]: { value: other } })
}

const isMachine = (logic: unknown): logic is AnyStateMachine =>
  logic !== null && typeof logic === 'object' && '__xstatenode' in logic
