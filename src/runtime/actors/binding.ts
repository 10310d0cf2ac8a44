/**
 * Binds the machine of a workflow to the runtime, once a definition: stages and maps get logic that reports to the run
 * they belong to, and what the machine of the run asks for is carried out by it. The run is found by the actor system,
 * of which each run has one of its own.
 */
import type { AnyActorLogic, AnyActorRef, AnyActorScope, AnyStateMachine } from 'xstate'
import { workflowMachine } from '../../../machines/workflow.machine.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { stageOf } from '../../workflow/stage-actor.ts'
import type { SupervisedRun } from '../run/live.ts'
import { overriding } from '../stage/overriding.ts'
import { bindMap } from './bound-map.ts'
import { type BoundStages, bindStages } from './bound-stage.ts'
import { rememberSteps } from './remembered-steps.ts'

export interface Binding {
  /** The root logic of runs of this definition; made once. */
  logicOf(definition: WorkflowDefinition): AnyStateMachine
  /** Actors of this system belong to `run`. */
  attach(system: object, run: SupervisedRun): void
}

/** @param isWatched whether somebody is told of the inspection events of XState */
export function createBinding(isWatched: () => boolean): Binding {
  const runs = new WeakMap<object, SupervisedRun>()
  const bound = new WeakMap<WorkflowDefinition, AnyStateMachine>()
  const runOf = (actor: AnyActorRef): SupervisedRun => runs.get(actor.system) as SupervisedRun
  const stages = bindStages(runOf, isWatched)
  const map = bindMap(runOf, stages.stageOrItem)

  const withInput = (flow: AnyStateMachine): AnyStateMachine =>
    overriding(flow, {
      getInitialSnapshot: (scope: AnyActorScope) =>
        flow.getInitialSnapshot(scope as never, runOf(scope.self).input as never),
    })

  const bind = (definition: WorkflowDefinition): AnyStateMachine => {
    const flow =
      definition.origin === 'machine'
        ? withInput(bindOwn(definition.machine, stages))
        : rememberSteps(definition.machine.provide({ actors: { stage: stages.stageOrItem, map } } as never), isWatched)
    const life = workflowMachine.provide({
      actors: { flow: flow as never },
      actions: {
        conclude: ({ self, event }) => {
          const run = runOf(self)
          run.atOnce(() => run.conclude(event as { output?: unknown; error?: unknown }))
        },
        compensate: ({ self }) => runOf(self).compensate(),
        suspendStages: ({ self }) => runOf(self).suspendStages(),
        resumeStages: ({ self }) => {
          const run = runOf(self)
          run.atOnce(() => run.resumeStages())
        },
      },
    })
    return rememberSteps(life as unknown as AnyStateMachine, isWatched)
  }

  return {
    logicOf(definition) {
      const known = bound.get(definition)
      if (known) return known
      const made = bind(definition)
      bound.set(definition, made)
      return made
    },
    attach: (system, run) => {
      runs.set(system, run)
    },
  }
}

/** The user's machine with its stages bound, in the machines within it too. */
function bindOwn(machine: AnyStateMachine, stages: BoundStages, path = ''): AnyStateMachine {
  const actors: Record<string, AnyActorLogic> = {}
  for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, AnyActorLogic>)) {
    const stage = stageOf(logic)
    const source = path === '' ? name : `${path}/${name}`
    actors[name] = stage ? stages.ownStage(stage, source) : isMachine(logic) ? bindOwn(logic, stages, source) : logic
  }
  return machine.provide({ actors } as never)
}

const isMachine = (logic: unknown): logic is AnyStateMachine =>
  logic !== null && typeof logic === 'object' && '__xstatenode' in logic
