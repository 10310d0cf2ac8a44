/** `holdfast retry <id>`: runs an ended run again from what failed, in the process that owns the store or here. */
import { type Command, Option } from 'commander'
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

interface RetryFlags {
  readonly reason?: string
  readonly fresh?: boolean
  readonly tier?: 'cheap' | 'capable' | 'premium'
  readonly budget?: readonly string[]
  readonly watch?: boolean
  readonly strict?: boolean
}

export function addRetry(program: Command, does: Does): void {
  program
    .command('retry')
    .argument('<id>')
    .description('run a failed, quarantined or out-of-budget run again from what failed; other results are kept')
    .option('--reason <text>', 'kept in its journal')
    .option('--fresh', 'ask every model call and step of the stages that run again anew')
    .addOption(
      new Option('--tier <tier>', 'the tier that its model calls ask from now on').choices([
        'cheap',
        'capable',
        'premium',
      ]),
    )
    .option('--budget <currency=n>', 'a larger budget for the whole run, as in usd=2 (repeatable)', collected)
    .option('--watch', 'stay although it waits for a signal')
    .option('--strict', 'exit 6 for any degradation')
    .action(
      does<RetryFlags>((session, [id = ''], flags) => beside(session, client => retry(session, client, id, flags))),
    )
}

async function retry(session: Session, client: Client, id: string, flags: RetryFlags): Promise<ExitCode> {
  const { reason, fresh, tier, watch = false, strict = false } = flags
  const asked = { reason, fresh, tier, budget: parseBudget(flags.budget), by: operator() }
  const report = await client.get(id)
  const taken = await handOver(client, id, 'retry', asked)
  if (taken) {
    if (session.json) session.terminal.put(JSON.stringify({ id, status: taken.status }, null, 2))
    else session.terminal.put(`run ${id} is ${taken.status} (process ${taken.takenBy} has it)`)
    return exitCodes.done
  }
  const workflows = await workflowsOfRun(report, client, createWorkflowLoader())
  return asOwner(session, { workflows }, async runtime => {
    const run = await setOff(session, [id], () => runtime.retry(id, asked))
    return conduct({ session, runtime, client, run, watch, strict })
  })
}
