/**
 * What the runtime does for the children of a run: starts them under what their parent was started with, and has them
 * cancelled when it ends, unless they were to be abandoned.
 */
import { definitionOf, sourceOf } from '../../workflow/definition.ts'
import type { Run } from '../api.ts'
import { dependentChildren, wakeRelatives } from '../commits/wake.ts'
import type { RunServices } from '../run/live.ts'
import type { Runs } from '../runs/runs.ts'
import { type ResolvedOptions, resolveStartOptions } from '../runtime-options.ts'

export interface ChildrenParts {
  readonly options: Pick<ResolvedOptions, 'clock' | 'profiles' | 'overrides'>
  readonly runs: () => Runs
  readonly handleOf: (runId: string, workflow: string) => Run
}

export function createChildren({
  options,
  runs,
  handleOf,
}: ChildrenParts): Pick<RunServices, 'startChild' | 'closeChildren'> {
  const { clock, profiles } = options
  return {
    async startChild(parent, stage, id, workflow, input, { onParentClose, budget }) {
      const start = resolveStartOptions(
        { budget: budget as never },
        {
          now: clock.now(),
          profiles,
          budget: undefined,
          overrides: { ...options.overrides, ...parent.options.overrides },
          source: sourceOf(workflow),
          workflow: definitionOf(workflow),
        },
      )
      const { overrides } = parent.options
      const kept = {
        ...start.kept,
        ...(overrides === undefined ? {} : { overrides }),
        cwd: parent.options.cwd,
        onParentClose,
      }
      const runId = await runs().start(workflow, input, { ...start, id, kept }, { runId: parent.id, stage })
      const handle = handleOf(runId, workflow.name)
      return {
        result: () => handle.result(),
        signal: (name, payload) => handle.signal(name, payload),
        cancel: reason => handle.cancel(reason),
      }
    },
    closeChildren(run) {
      const children = dependentChildren(run)
      wakeRelatives(run, children)
      for (const id of children) run.afterCommit(() => void runs().cancelChild(id, run.id))
    },
  }
}
