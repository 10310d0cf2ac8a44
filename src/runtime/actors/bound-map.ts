/**
 * The logic of a map inside a run: the map machine, its items found by the run, and its end written down. A map that
 * failed ends as an actor that errored.
 */
import type { AnyActorLogic, AnyActorScope } from 'xstate'
import { mapMachine } from '../../../machines/map.machine.ts'
import type { StageFailure, StageMachineOutput } from '../../../machines/stage.machine.ts'
import { decodeError, type EncodedError, encodeError, StageError } from '../../errors.ts'
import type { StageDefinition } from '../../workflow/definition.ts'
import type { LiveRun } from '../run/live.ts'
import { admit } from '../stage/admission.ts'
import { describeFailure } from '../stage/failure.ts'
import { openMap } from '../stage/maps.ts'
import { overriding } from '../stage/overriding.ts'
import { asRecorded, type RunOf } from './bound-stage.ts'

interface EndedSnapshot {
  readonly status: string
  readonly output?: unknown
}

/** @param items the logic of the items */
export function bindMap(runOf: RunOf, items: AnyActorLogic): AnyActorLogic {
  const machine = mapMachine.provide({
    actors: { stage: items as never },
    actions: {
      findItems: ({ self, context }) => {
        const run = runOf(self)
        run.atOnce(() => {
          if (self.getSnapshot().status === 'active') self.send(openMap(run, context.stage))
        })
      },
    },
  })
  return overriding(machine, {
    getInitialSnapshot(scope: AnyActorScope, input: unknown) {
      const run = runOf(scope.self)
      const { stage: name } = input as { stage: string }
      const definition = run.definition.stages.get(name) as StageDefinition
      const concurrency = definition.map?.concurrency ?? 1
      const record = run.memory.stages.get(name)
      if (record?.outcome || (record && run.isRebuilt)) {
        const admission = record.outcome === null ? 'run' : 'skip'
        const begun = machine.getInitialSnapshot(scope as never, {
          ...{ stage: name, admission, optional: definition.optional, concurrency },
        })
        if (record.outcome === null) return begun
        run.journal('stage.replayed', {}, { stage: name })
        return asRecorded(begun, record)
      }
      run.journal('stage.started', {}, { stage: name })
      const { admission, failure } = admit(run, definition, false)
      const given = { stage: name, admission, optional: definition.optional, concurrency, failure }
      return finish(run, name, machine.getInitialSnapshot(scope as never, given))
    },
    transition(
      snapshot: { status: string; context: { stage: string } },
      event: { type: string; error?: unknown },
      scope: AnyActorScope,
    ) {
      const run = runOf(scope.self)
      const { stage: name } = snapshot.context
      // A run that is held or let go of stops its actors, too, but not its stages.
      if (event.type === 'xstate.stop' && snapshot.status === 'active' && run.root && !run.detached)
        run.journal('stage.stopped', {}, { stage: name })
      const next = machine.transition(snapshot as never, event as never, scope as never)
      const failure = event.type.startsWith('xstate.error.actor.') ? describeFailure(event.error) : undefined
      return finish(run, name, next, failure)
    },
  })
}

function finish(run: LiveRun, name: string, next: EndedSnapshot, itemFailure?: StageFailure): unknown {
  if (next.status !== 'done') return next
  const { outcome, failure } = next.output as StageMachineOutput
  const error = (failure?.error ?? itemFailure?.error) as EncodedError | undefined
  if (outcome === 'failed') return failed(run, name, next, error)
  if (outcome === 'succeeded') run.journal('stage.succeeded', {}, { stage: name })
  else if (outcome === 'skipped') run.journal('stage.skipped', {}, { stage: name })
  else {
    // Its result is the list that it says it is, of no items.
    if (!run.memory.maps.has(name)) run.journalText('map.opened', '{"keys":[],"items":[]}', { stage: name })
    run.journal('stage.degraded', { error }, { stage: name })
    run.noteDegraded({ stage: name, reason: error?.message ?? 'the map was lost' })
  }
  return { ...next, output: undefined }
}

function failed(run: LiveRun, name: string, next: EndedSnapshot, known: EncodedError | undefined): unknown {
  const error = known ?? encodeError(new StageError(`map '${name}' failed`, { stage: name }))
  run.journal('stage.failed', { error }, { stage: name })
  run.fail({ status: 'failed', error, stage: name })
  return { ...next, status: 'error', output: undefined, error: decodeError(error) }
}
