/**
 * A workflow as it runs in a simulation: the same definition, whose stages are watched. Their functions begin and end at
 * turns of the event loop that the seed chooses, what they do by themselves is found, their steps are held against the
 * ledger, and a stand-in takes the place of one that needs the real world.
 */
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import {
  type AnyWorkflow,
  definitionOf,
  type StageDefinition,
  type WorkflowDefinition,
  workflowBrand,
} from '../../workflow/definition.ts'
import { stageOf } from '../../workflow/stage-actor.ts'
import type { StageContext } from '../../workflow/stage-context.ts'
import { arbitraryOfSchema } from '../arbitrary-of-schema.ts'
import { inPlace } from './place.ts'
import { sampleOf } from './samples.ts'
import type { StageWatch } from './stage-watch.ts'
import { WatchedContext } from './watched-context.ts'

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
    return { ...stage, run: context => this.#execute(run, context, stage.output !== undefined) }
  }

  #standIn(stage: StageDefinition, name: string): StageDefinition['run'] {
    const standIn = this.#watch.standIns[name]
    if (standIn === true && stage.output) {
      const made = arbitraryOfSchema(stage.output, `stages.${name}`)
      return () => sampleOf(made, this.#watch.random)
    }
    return typeof standIn === 'function' ? (standIn as StageDefinition['run']) : () => standIn
  }

  async #execute(run: StageDefinition['run'], context: StageContext, hasSchema: boolean): Promise<unknown> {
    const ends = this.#watch.executionBegins(context)
    try {
      await this.#turns()
      const given = new WatchedContext(context, this.#watch, workflow => this.#child(workflow)).given
      // Everything that the function does, and what follows from it, is done in the name of the stage.
      const work = (): Promise<unknown> => inPlace(this.#watch.place(context), async () => run(given))
      const value = await (this.#watch.recorded?.execution(context, work) ?? work())
      this.#watch.executionReturned(context, hasSchema ? null : textOf(value))
      return value
    } finally {
      await this.#turns()
      ends()
    }
  }

  async #turns(): Promise<void> {
    for (let turns = Math.floor(this.#watch.random() * 4); turns > 0; turns--) {
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }
}

/** Null of what is no JSON: the runtime refuses it. */
function textOf(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return null
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
