/** `holdfast cancel|pause|signal`: a command about one run, for whoever has it. */
import type { Command } from 'commander'
import type { CommandArguments } from '../../index.ts'
import { type CommandOutcome, commandRun, type OpenRunCommand } from '../command-run.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { parseJson } from '../parse-flags.ts'
import type { Session } from '../session.ts'
import { quoted } from '../shell.ts'
import type { Does } from './command.ts'

interface ReasonFlags {
  readonly reason?: string
}

export function addCancel(program: Command, does: Does): void {
  program
    .command('cancel')
    .argument('<id>')
    .description('stop a run, undo what its stages can undo, and end it as cancelled')
    .option('--reason <text>', 'kept in its journal')
    .action(does<ReasonFlags>((session, [id = ''], { reason }) => command(session, id, 'cancel', { reason })))
}

export function addPause(program: Command, does: Does): void {
  program
    .command('pause')
    .argument('<id>')
    .description('hold a run where it is')
    .option('--reason <text>', 'kept in its journal')
    .action(does<ReasonFlags>((session, [id = ''], { reason }) => command(session, id, 'pause', { reason })))
}

export function addSignal(program: Command, does: Does): void {
  program
    .command('signal')
    .argument('<id>')
    .argument('<name>', 'the name of the signal')
    .argument('[json]', 'its payload')
    .description('send a signal to a run; it is kept until a stage asks for it')
    .action(
      does((session, [id = '', name = '', json]) =>
        command(session, id, 'signal', {
          name,
          ...(json === undefined ? {} : { payload: parseJson(json, 'the payload') }),
        }),
      ),
    )
}

async function command(session: Session, id: string, name: OpenRunCommand, args: CommandArguments): Promise<ExitCode> {
  const outcome = await commandRun(session, id, name, args)
  if (session.json) session.terminal.put(JSON.stringify({ id, status: outcome.status }, null, 2))
  else sayOutcome(session, name, outcome)
  return exitCodes.done
}

function sayOutcome(session: Session, name: OpenRunCommand, { id, status, takenBy }: CommandOutcome): void {
  const what = name === 'signal' ? `the signal is with run ${id}, which is ${status}` : `run ${id} is ${status}`
  session.terminal.put(takenBy === undefined ? what : `${what} (process ${takenBy} has it)`)
  if (takenBy === undefined && name !== 'cancel')
    session.terminal.say(`go on with it: ${session.command(`resume ${quoted(id)}`)}`)
}
