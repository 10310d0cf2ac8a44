/** `holdfast diagnostics <id>`: how a run stands, and what one might do about it. */
import type { Command } from 'commander'
import type { Client, Diagnostics } from '../../index.ts'
import { formatMs } from '../../time/duration.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { describeWait } from '../print-waits.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

export function addDiagnostics(program: Command, does: Does): void {
  program
    .command('diagnostics')
    .argument('<id>')
    .description('where a run stands, what went wrong in it, and what to do')
    .action(does((session, [id = '']) => beside(session, client => show(session, client, id))))
}

async function show(session: Session, client: Client, id: string): Promise<ExitCode> {
  const diagnostics = await client.diagnostics(id)
  if (session.json) session.terminal.put(JSON.stringify(diagnostics, null, 2))
  else for (const line of linesOf(diagnostics)) session.terminal.put(line)
  return exitCodes.done
}

function* linesOf(diagnostics: Diagnostics): Iterable<string> {
  const { runId, status, currentStage, waitingFor = [], errorCount, recoveryAttempts, performance } = diagnostics
  yield `run ${runId} is ${status}`
  if (currentStage)
    yield `at stage ${currentStage.stage} for ${formatMs(currentStage.durationMs)}, attempt ${currentStage.attempt}`
  for (const wait of waitingFor) yield `waits for ${describeWait(wait)}`
  yield `${errorCount} failed attempts, ${recoveryAttempts} recoveries; grade ${performance.grade}, score ${performance.score.toFixed(2)}`
  for (const [stage, { status: how, durationMs }] of Object.entries(diagnostics.stageHistory))
    yield `  ${stage}  ${how.replace('_', ' ')}  ${formatMs(durationMs)}`
  for (const { name, healthy, message } of diagnostics.recentHealthChecks)
    yield `  ${healthy ? 'healthy' : 'unhealthy'}  ${name}: ${message}`
  for (const advice of diagnostics.recommendations) yield `- ${advice}`
}
