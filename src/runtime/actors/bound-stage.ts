/**
 * The logic of a stage inside a run: the stage machine, admitted by the run it belongs to, its requests carried out by
 * the live stage, and its end written down. A stage that failed for good ends as an actor that errored, as XState's
 * `onError` expects; what the machine itself decided stays in its output.
 */
import type { AnyActorLogic, AnyActorRef, AnyActorScope, AnyStateMachine } from 'xstate'
import {
  type StageCounts,
  type StageMachineContext,
  type StageMachineInput,
  type StageMachineOutput,
  stageMachine,
} from '../../../machines/stage.machine.ts'
import { StageError } from '../../errors.ts'
import type { StageDefinition } from '../../workflow/definition.ts'
import { decodeResult } from '../../workflow/results.ts'
import type { LiveRun, LiveStage } from '../run/live.ts'
import { itemOf, progressMark, type StageRecord } from '../run/run-memory.ts'
import { admit } from '../stage/admission.ts'
import { ActorStage } from '../stage/live-stage.ts'
import { overriding } from '../stage/overriding.ts'
import { persistedContext } from '../stage/stage-rules.ts'
import { createFirstTransition } from './first-transition.ts'
import { rememberSteps } from './remembered-steps.ts'

export type RunOf = (actor: AnyActorRef) => LiveRun

export interface BoundStages {
  /** Stages and items of a built workflow; its input is `{ stage, item? }`. */
  readonly stageOrItem: AnyActorLogic
  /** A stage of a machine of one's own: the invoke id is its name, `source` the key among the workflow's stages. */
  ownStage(definition: StageDefinition, source: string): AnyActorLogic
}

/** How a live stage is made: for an actor that starts, and for one that is restored. */
interface Maker {
  begin(run: LiveRun, self: AnyActorRef, input: unknown): LiveStage
  /** Of a machine of one's own. */
  readonly source?: string | undefined
  restore(run: LiveRun, self: AnyActorRef, name: string): LiveStage
}

/** An input that takes the way of most stages. */
const admitted: StageMachineInput = {
  stage: '',
  admission: 'run',
  policy: {
    maxRetries: 0,
    retryOn: [],
    remedies: [],
    restart: 'transient',
    intensity: 0,
    periodMs: 0,
    livelockAfter: 0,
    onExhausted: 'fail',
    fallback: false,
    optional: false,
    preflight: false,
  },
}

interface EndedSnapshot {
  readonly status: string
  readonly output?: unknown
}

/** A stage or map that had ended before the run was reopened, forked or rebuilt: it ends again at once. */
export function asRecorded(skippedSnapshot: object, { outcome }: StageRecord, output?: unknown): unknown {
  if (outcome !== 'failed') return { ...skippedSnapshot, output }
  const error = new StageError('it had failed before the run was rebuilt')
  return { ...skippedSnapshot, status: 'error', output: undefined, error }
}

/** What goes on counting in a stage that was under way when its run was rebuilt, or that a reopened run tries again. */
function countsOf(run: LiveRun, stage: string, record: StageRecord): StageCounts {
  const { attempts, incarnation, retries, restartTimes } = record
  const next = { incarnation: incarnation + 1, restarts: restartTimes.length }
  if (!run.isRebuilt) return { ...next, attempt: attempts + 1, retries: 0, spent: [] }
  // How far it had come at each restart nobody knows any more: credit returns with what it does from now on.
  const progress = progressMark(run.memory, stage)
  return { ...next, attempt: Math.max(1, attempts), retries, spent: restartTimes.map(at => ({ at, progress })) }
}

export function bindStages(runOf: RunOf, isWatched: () => boolean): BoundStages {
  const live = ({ self }: { self: AnyActorRef }): LiveStage | undefined => runOf(self).stages.get(self)
  const machine = rememberSteps(
    stageMachine.provide({
      actions: {
        startAttempt: args => live(args)?.startAttempt(args.context),
        runPreflight: args => live(args)?.runPreflight(),
        applyRemedy: args => live(args)?.applyRemedy(args.context),
        runFallback: args => live(args)?.runFallback(args.context),
        setDelay: args => live(args)?.setDelay(args.context),
        explainDecision: (args, { rule }) => live(args)?.explainDecision(rule, args.context),
      },
    }),
    isWatched,
  )

  /** The way of most stages: admitted, and nothing to examine before. */
  const begin = createFirstTransition(machine as unknown as AnyStateMachine, admitted)

  const finish = (self: AnyActorRef, next: EndedSnapshot): unknown => {
    const run = runOf(self)
    const stage = next.status === 'done' ? run.stages.get(self) : undefined
    if (!stage) return next
    const { outcome, failure } = next.output as StageMachineOutput
    const error = stage.ended(outcome, failure)
    if (error) return { ...next, status: 'error', output: undefined, error }
    return { ...next, output: run.definition.origin === 'machine' ? stage.output : undefined }
  }

  const logicOf = (maker: Maker): AnyActorLogic =>
    overriding(machine, {
      getInitialSnapshot(scope: AnyActorScope, input: unknown) {
        const { self } = scope
        const run = runOf(self)
        const stage = maker.begin(run, self, input)
        const record = run.memory.stages.get(stage.name)
        if (record?.outcome) {
          run.journal('stage.replayed', startedData(stage, maker.source, input), { stage: stage.name })
          const ended = { stage: stage.name, policy: stage.policy, admission: 'skip' as const }
          return asRecorded(machine.getInitialSnapshot(scope as never, ended), record, recordedOutput(run, stage.name))
        }
        run.stages.set(self, stage)
        const begun = record && countsOf(run, stage.name, record)
        if (begun && run.isRebuilt) {
          const given = { stage: stage.name, policy: stage.policy, admission: 'run' as const, begun }
          return machine.getInitialSnapshot(scope as never, given)
        }
        run.journal('stage.started', startedData(stage, maker.source, input), { stage: stage.name })
        const { admission, failure } = admit(run, stage.definition, stage.item !== undefined, stage)
        const given = { stage: stage.name, policy: stage.policy, admission, failure, begun }
        if (admission === 'run' && !stage.policy.preflight) return begin(scope, given)
        return finish(self, machine.getInitialSnapshot(scope as never, given))
      },
      restoreSnapshot(snapshot: { context: StageMachineContext; status: string }, scope: AnyActorScope) {
        const { self } = scope
        const run = runOf(self)
        if (snapshot.status !== 'active') return machine.restoreSnapshot(snapshot as never, scope as never)
        const stage = maker.restore(run, self, snapshot.context.stage)
        run.stages.set(self, stage)
        const context = { ...snapshot.context, policy: stage.policy }
        return machine.restoreSnapshot({ ...snapshot, context } as never, scope as never)
      },
      getPersistedSnapshot(snapshot: { context: StageMachineContext }, options: unknown) {
        const persisted = machine.getPersistedSnapshot(snapshot as never, options)
        return { ...persisted, context: persistedContext(snapshot.context) }
      },
      transition(snapshot: unknown, event: { type: string }, scope: AnyActorScope) {
        const { self } = scope
        if (event.type === 'xstate.stop') stopped(runOf(self), self)
        return finish(self, machine.transition(snapshot as never, event as never, scope as never))
      },
    })

  return {
    stageOrItem: logicOf({
      begin(run, self, input) {
        const { stage: name, item: index } = input as { stage: string; item?: number }
        const map = index === undefined ? undefined : run.memory.mapOf(name)
        const item = map && index !== undefined ? { map, index } : undefined
        const full = item ? `${name}[${item.map.keys[item.index]}]` : name
        return new ActorStage(run, self, definitionOf(run, name), full, item, undefined)
      },
      restore(run, self, name) {
        const item = itemOf(run.memory, name)
        const definition = definitionOf(run, item ? name.slice(0, name.indexOf('[')) : name)
        return new ActorStage(run, self, definition, name, item, undefined)
      },
    }),
    ownStage: (definition, source) =>
      logicOf({
        source,
        begin(run, self, input) {
          const times = run.memory.ownStages.occurrences.get(self.id) ?? 0
          const name = times === 0 ? self.id : `${self.id}#${times + 1}`
          return new ActorStage(run, self, { ...definition, name }, name, undefined, input)
        },
        restore(run, self, name) {
          const stage = new ActorStage(
            run,
            self,
            { ...definition, name },
            name,
            undefined,
            run.memory.ownStages.inputs.get(name),
          )
          admit(run, stage.definition, false, stage)
          return stage
        },
      }),
  }
}

const definitionOf = (run: LiveRun, name: string): StageDefinition => run.definition.stages.get(name) as StageDefinition

/** What a stage gave before the run was reopened or forked, for the machine of one's own that invoked it. */
const recordedOutput = (run: LiveRun, name: string): unknown =>
  run.definition.origin === 'machine' ? decodeResult(run.memory.results.get(name)) : undefined

/** What the journal says of a stage's beginning: of a machine of one's own what a restart and a compensation need. */
function startedData(stage: LiveStage, source: string | undefined, input: unknown): object {
  if (stage.item) return { index: stage.item.index }
  return source === undefined ? {} : { source, ...(input === undefined ? {} : { input }) }
}

/** XState has stopped the actor: its function is stopped too. */
function stopped(run: LiveRun, self: AnyActorRef): void {
  const stage = run.stages.get(self)
  if (!stage || run.detached) return
  run.stages.delete(self)
  stage.abandon(run.stopReason(stage.name))
  run.timers.clear(`delay:${stage.name}`)
  run.journal('stage.stopped', {}, { stage: stage.name })
}
