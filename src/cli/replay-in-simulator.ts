/**
 * `simulate <workflow> --replay <run id>`: a run of the store once more in the simulated world, with what was injected
 * into it on purpose. Whether it comes to the same end is the answer.
 */
import { RunNotFoundError } from '../errors.ts'
import { type AnyWorkflow, OptionsError } from '../index.ts'
import type { ReplayedRun, RunOutcome } from '../testing.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { beside } from './open-store.ts'
import { type RecordingOfRun, recordingOfRun } from './recording-of-run.ts'
import type { Session } from './session.ts'

/** @throws OptionsError where the store has no such run */
export async function replayInSimulator(session: Session, workflow: AnyWorkflow, runId: string): Promise<ExitCode> {
  const made = await beside(session, client => recordingOfRun(client, runId)).catch(error => {
    if (!(error instanceof RunNotFoundError)) throw error
    throw new OptionsError(
      `--replay: '${runId}' is neither a seed (a whole number, as a report names it) nor a run of the store ${session.store}`,
      { runId },
    )
  })
  const { outcomeDifferences, replayRun } = await import('../testing.ts')
  const replayed = await replayRun(workflow, made.recording, { unrecorded: 'simulate' })
  // What has no end yet may have any.
  const isOpen = made.recording.outcome.status === 'running' || made.recording.outcome.status === 'pending'
  const differences = isOpen ? [] : outcomeDifferences(made.recording.outcome, replayed)
  if (session.json) putDocument(session, made, replayed, differences)
  else for (const line of linesOf(made, replayed, differences)) session.terminal.put(line)
  return differences.length === 0 ? exitCodes.done : exitCodes.failed
}

function putDocument(
  { terminal }: Session,
  { recording, limits }: RecordingOfRun,
  replayed: ReplayedRun,
  differences: readonly string[],
): void {
  const { journal: _, ...told } = replayed
  const { id: runId, outcome: recorded } = recording
  terminal.put(
    JSON.stringify({ ok: differences.length === 0, runId, recorded, replayed: told, differences, limits }, null, 2),
  )
}

function linesOf(
  { recording, limits }: RecordingOfRun,
  replayed: ReplayedRun,
  differences: readonly string[],
): string[] {
  const { id, outcome } = recording
  const all = recording.faults.length
  const faults = replayed.injected.length === all ? all : `${replayed.injected.length} of ${all}`
  return [
    `run ${id} replayed, with ${faults === 1 ? '1 fault' : `${faults} faults`} injected:`,
    ...replayed.trace.map(line => `  ${line}`),
    '',
    `recorded: ${endOf(outcome)}`,
    `replayed: ${endOf(replayed)}`,
    ...differences.map(difference => `  differs: ${difference}`),
    ...[...limits, ...replayed.standIns].map(limit => `  not replayed: ${limit}`),
    ...replayed.unrecorded.map(call => `  simulated: model call ${call}, which has no recorded answer`),
  ]
}

const endOf = ({ status, error }: RunOutcome): string =>
  error === undefined
    ? status
    : `${status}${error.stage === undefined ? '' : ` in stage '${error.stage}'`}: ${error.message.split('\n')[0]}`
