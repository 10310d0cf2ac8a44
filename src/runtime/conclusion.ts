/** The verdict on a run whose flow has ended: its output, or why it failed. */
import type { WorkflowMachineEvent } from '../../machines/workflow.machine.ts'
import { encodeError } from '../errors.ts'
import { encodeJson } from '../workflow/results.ts'
import type { LiveRun } from './live.ts'

/** Where the run's output is kept among the results; no stage can have this name. */
export const outputKey = '(output)'

/** @param end the output or the error of the flow's own machine */
export function conclude(
  run: LiveRun,
  end: { readonly output?: unknown; readonly error?: unknown },
): WorkflowMachineEvent {
  if (run.failure === undefined && end.error !== undefined) {
    const error = encodeError(end.error)
    const { lastFailed } = run
    const where = lastFailed?.message === error.message ? { stage: lastFailed.stage, attempt: lastFailed.attempt } : {}
    run.fail({ status: 'failed', error, ...where })
  }
  if (run.failure === undefined) {
    try {
      run.memory.results.set(
        outputKey,
        encodeJson(outputOf(run, end.output), `output of workflow '${run.definition.name}'`),
      )
      return { type: 'COMPLETE' }
    } catch (error) {
      run.fail({ status: 'failed', error: encodeError(error) })
    }
  }
  if (run.failure?.status === 'quarantined') return { type: 'QUARANTINE' }
  return { type: run.failure?.status === 'budget_exceeded' ? 'EXHAUST_BUDGET' : 'FAIL' }
}

function outputOf(run: LiveRun, machineOutput: unknown): unknown {
  const { definition } = run
  const facts = { input: run.input, results: run.resultsOf(definition.stages.keys()) }
  if (definition.output) return definition.output(facts)
  if (definition.origin === 'machine') return machineOutput
  const last = [...definition.stages.keys()].at(-1)
  return last === undefined ? undefined : facts.results[last]
}
