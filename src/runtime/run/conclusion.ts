/** The verdict on a run whose flow has ended: its output, or why it failed. */
import type { WorkflowMachineEvent } from '../../../machines/workflow.machine.ts'
import { encodeError, HoldfastError } from '../../errors.ts'
import { encodeJson, type ResultText } from '../../workflow/results.ts'
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
      run.memory.results.set(outputKey, outputText(run, end.output))
      return { type: 'COMPLETE' }
    } catch (error) {
      run.fail({ status: 'failed', error: encodeError(error) })
    }
  }
  if (run.failure?.status === 'quarantined') return { type: 'QUARANTINE' }
  return { type: run.failure?.status === 'budget_exceeded' ? 'EXHAUST_BUDGET' : 'FAIL' }
}

/** What a stage returned is text already, and needs no other check. */
function outputText(run: LiveRun, machineOutput: unknown): ResultText {
  const { definition, memory } = run
  let output = machineOutput
  if (definition.output) output = askOutput(run, definition.output)
  else if (definition.origin === 'built') {
    const last = [...definition.stages.keys()].at(-1)
    if (last === undefined) return undefined
    const text = memory.results.get(last)
    if (typeof text !== 'object') return text
    output = resultsOf(run)[last]
  }
  return encodeJson(output, `output of workflow '${definition.name}'`)
}

function askOutput(run: LiveRun, output: NonNullable<LiveRun['definition']['output']>): unknown {
  try {
    return output({ input: run.input, results: resultsOf(run) })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new HoldfastError(
      'run_failed',
      `\`output\` of workflow '${run.definition.name}' threw: ${message}`,
      {},
      { cause: error },
    )
  }
}

const resultsOf = (run: LiveRun): Readonly<Record<string, unknown>> => run.resultsOf(run.definition.stages.keys())
