/** `holdfast fork <id> --from <stage>`: a new run from the middle of another; says first what it will run again. */
import type { Command } from 'commander'
import type { ForkPlan } from '../../index.ts'
import { formatMs } from '../../time/duration.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { operate, sayOperated } from '../operate.ts'
import { parseInput } from '../parse-flags.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

interface ForkFlags {
  readonly from: string
  readonly input?: string
  readonly workflow?: string
}

export function addFork(program: Command, does: Does): void {
  program
    .command('fork')
    .argument('<id>')
    .description('make a new run from a stage of another, with the results of the stages before')
    .requiredOption('--from <stage>', 'the first stage to run again; of a map one item as name[key]')
    .option('--workflow <file>', 'where its workflow is, if not where the run has it from')
    .option('--input <json>', "another input: JSON, '@file', or '-' for stdin")
    .action(does<ForkFlags>((session, [id = ''], flags) => fork(session, id, flags)))
}

async function fork(session: Session, id: string, { from, input: given, workflow }: ForkFlags): Promise<ExitCode> {
  const input = given === undefined ? undefined : await parseInput({ input: given })
  const outcome = await operate(session, {
    runId: id,
    name: 'fork',
    args: { from, input },
    workflow,
    here: runtime => runtime.fork(id, { from, input, hold: true }),
  })
  const plan = outcome.plan as ForkPlan
  if (session.json) session.terminal.put(JSON.stringify({ id: outcome.id, status: outcome.status, plan }, null, 2))
  else {
    sayPlan(session, plan)
    sayOperated(session, outcome)
  }
  return exitCodes.done
}

function sayPlan({ terminal }: Session, { runId, from, copied, rerun, cost }: ForkPlan): void {
  terminal.say(`a fork of ${runId} from ${from}`)
  terminal.say(`taken over: ${copied.length === 0 ? 'nothing' : copied.join(', ')}`)
  terminal.say(`runs again: ${rerun.join(', ')}`)
  const usd = cost.usd === 'unknown' ? 'an unknown amount of USD' : `${cost.usd} USD`
  terminal.say(
    `the last time that took ${formatMs(cost.durationMs)} and cost ${usd} for ${cost.calls} model calls (${cost.inputTokens} tokens in, ${cost.outputTokens} out)`,
  )
  if (cost.unknown.length > 0) terminal.say(`not run before, so nothing is known of: ${cost.unknown.join(', ')}`)
}
