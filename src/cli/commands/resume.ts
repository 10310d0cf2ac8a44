/** `holdfast resume <id>`: lets the process that has the run go on with it, or goes on with it here. */
import type { Command } from 'commander'
import type { Client } from '../../index.ts'
import { handOver } from '../command-run.ts'
import { conduct } from '../conduct.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { setOff } from '../foreground.ts'
import { createWorkflowLoader } from '../load-workflow.ts'
import { asOwner, beside } from '../open-store.ts'
import { operator } from '../operate.ts'
import { collected, parseBudget } from '../parse-flags.ts'
import type { Session } from '../session.ts'
import { workflowsOfRun } from '../workflows-of-run.ts'
import type { Does } from './command.ts'

interface ResumeFlags {
  readonly watch?: boolean
  readonly strict?: boolean
  readonly reason?: string
  readonly budget?: readonly string[]
}

export function addResume(program: Command, does: Does): void {
  program
    .command('resume')
    .argument('<id>')
    .description('go on with a paused, interrupted or out-of-budget run, and stay with it until it ends')
    .option('--watch', 'stay although it waits for a signal')
    .option('--strict', 'exit 6 for any degradation')
    .option('--reason <text>', 'kept in its journal')
    .option(
      '--budget <currency=n>',
      'for a run that was out of budget: a larger one, as in usd=2 (repeatable)',
      collected,
    )
    .action(
      does<ResumeFlags>((session, [id = ''], flags) => beside(session, client => resume(session, client, id, flags))),
    )
}

async function resume(
  session: Session,
  client: Client,
  id: string,
  { watch = false, strict = false, reason, budget: given }: ResumeFlags,
): Promise<ExitCode> {
  const asked = { reason, budget: parseBudget(given), by: operator() }
  const known = await client.get(id)
  const report = known.status === 'budget_exceeded' ? known : await client.getOpen(id)
  const taken = await handOver(client, id, 'resume', asked)
  if (taken) {
    if (session.json) session.terminal.put(JSON.stringify({ id, status: taken.status }, null, 2))
    else session.terminal.put(`run ${id} is ${taken.status} (process ${taken.takenBy} has it)`)
    return exitCodes.done
  }
  const workflows = await workflowsOfRun(report, client, createWorkflowLoader())
  return asOwner(session, { workflows }, async runtime => {
    const run = await runtime.get(id)
    await setOff(session, [id], () => run.resume(asked))
    return conduct({ session, runtime, client, run, watch, strict })
  })
}
