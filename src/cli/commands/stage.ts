/** `holdfast stage skip|redo|complete <id> <stage> --reason`: an operator decides about one stage or item. */
import type { Command } from 'commander'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { operate, operator, sayOperated } from '../operate.ts'
import { parseJson } from '../parse-flags.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

interface StageFlags {
  readonly reason: string
  readonly result?: string
}

const ways = [
  ['skip', 'say that a stage is not needed; what needs it goes on without its result'],
  ['redo', 'run a stage again with nothing of what it had recorded, and what depends on it'],
  ['complete', 'give the result of a stage by hand'],
] as const

export function addStage(program: Command, does: Does): void {
  const stage = program.command('stage').description('decide about one stage or item of a run')
  for (const [how, description] of ways) {
    const command = stage
      .command(how)
      .argument('<id>')
      .argument('<stage>', 'its name; of a map one item as name[key]')
      .description(description)
      .requiredOption('--reason <text>', 'kept in the journal of the run')
    if (how === 'complete') command.option('--result <json>', 'the result; none unless told')
    command.action(does<StageFlags>((session, [id = '', name = ''], flags) => decide(session, how, id, name, flags)))
  }
}

async function decide(
  session: Session,
  how: (typeof ways)[number][0],
  id: string,
  stage: string,
  { reason, result: text }: StageFlags,
): Promise<ExitCode> {
  const by = operator()
  const result = text === undefined ? undefined : parseJson(text, '--result')
  const note = { reason, by, hold: true }
  const outcome = await operate(session, {
    runId: id,
    name: how,
    args: { stage, reason, by, result },
    here: runtime =>
      how === 'complete' ? runtime.stage.complete(id, stage, { ...note, result }) : runtime.stage[how](id, stage, note),
  })
  if (session.json) session.terminal.put(JSON.stringify({ id, status: outcome.status }, null, 2))
  else sayOperated(session, outcome)
  return exitCodes.done
}
