/**
 * One run in the foreground, as `run` and `resume` do it: its progress on stderr while it goes on, then its result on
 * stdout, how to look closer, and the exit code.
 */
import type { Client, Run, RunReport, RunResult, Runtime } from '../index.ts'
import { systemClock } from '../index.ts'
import { type ExitCode, exitCodeOfResult, exitCodes } from './exit-codes.ts'
import { stayWith } from './foreground.ts'
import { printResult } from './print-result.ts'
import { sayWaits } from './print-waits.ts'
import { createProgress } from './progress.ts'
import type { Session } from './session.ts'
import { quoted } from './shell.ts'

export interface ConductOptions {
  readonly session: Session
  readonly runtime: Runtime
  readonly client: Client
  readonly run: Run
  /** Stay although only a signal can move it. */
  readonly watch: boolean
  /** Any degradation gives exit code 6. */
  readonly strict: boolean
}

export async function conduct(options: ConductOptions): Promise<ExitCode> {
  const { session, runtime, client, run } = options
  const progress = createProgress(session.terminal, systemClock.now())
  const shown = showProgress(run, progress.take)
  const waits = { stays: options.watch, leavesPaused: false }
  const { results, stoppedBy } = await stayWith({ session, runtime, client, runs: [run], shown, ...waits }).finally(
    () => progress.end(),
  )
  const result = results.get(run.id)
  if (result) return finish(options, result, progress.board.lost)
  const report = await client.get(run.id)
  if (stoppedBy === undefined) return rest(session, report)
  tellUnfinished(session, report, stoppedBy === 'SIGINT' ? 'interrupted' : 'terminated')
  return stoppedBy === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
}

async function showProgress(run: Run, take: (event: never) => void): Promise<void> {
  try {
    for await (const event of run.events()) take(event as never)
  } catch {
    // What the store could not give is no progress; whatever is wrong with it, the run itself says.
  }
}

function finish({ session, strict }: ConductOptions, result: RunResult, lost: number): ExitCode {
  printResult(session, result)
  return exitCodeOfResult(result, { lost, strict })
}

function rest(session: Session, report: RunReport): ExitCode {
  if (session.json)
    session.terminal.put(
      JSON.stringify({ id: report.id, status: report.status, waitingFor: report.waitingFor }, null, 2),
    )
  sayWaits(session, report)
  return exitCodes.waiting
}

function tellUnfinished(session: Session, report: RunReport, how: string): void {
  if (session.json) session.terminal.put(JSON.stringify({ id: report.id, status: report.status }, null, 2))
  session.terminal.say(`${how}; go on with: ${session.command(`resume ${quoted(report.id)}`)}`)
}
