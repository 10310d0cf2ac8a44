/** The command line as a whole: which commands there are, and how what they give or throw becomes an exit code. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { OptionsError } from '../errors.ts'
import { catalogue } from './catalogue.ts'
import { logLevels } from './cli-logger.ts'
import type { Does } from './commands/command.ts'
import { type ExitCode, exitCodeOfError, exitCodes } from './exit-codes.ts'
import { createGuard } from './guard.ts'
import { printError } from './print-error.ts'
import { createSession, type GlobalFlags } from './session.ts'
import type { Terminal } from './terminal.ts'

/** Parses and does what is asked; whatever happens is told to `terminal` and ends in an exit code. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  // Known before anything is parsed: a mistake in the flags is told in the form that was asked for, too.
  const wants = { json: args.includes('--json'), debug: args.includes('--debug') }
  const guard = createGuard(terminal, wants)
  let exitCode: ExitCode = exitCodes.done
  const does: Does =
    work =>
    async (...given) => {
      const command = given.at(-1) as Command
      const flags = command.optsWithGlobals()
      exitCode = await work(createSession(flags as GlobalFlags, terminal, guard), command.args, flags as never)
    }
  try {
    const program = createProgram(terminal)
    await addCommands(program, does, args)
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage
    const told = error instanceof CommanderError ? usageError(error) : error
    printError(told, terminal, wants)
    return exitCodeOfError(told)
  }
}

function createProgram(terminal: Terminal): Command {
  return new Command('holdfast')
    .description('Runs workflows that survive what goes wrong.')
    .version(version(), '--version')
    .option('--dir <dir>', 'where the store and its logs are (HOLDFAST_DIR; ./.holdfast)')
    .option('--json', 'one JSON document on stdout; streams as NDJSON')
    .option('--no-color', 'no colours (NO_COLOR)')
    .option('--debug', 'log everything, and show where errors were thrown')
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr (HOLDFAST_LOG_LEVEL; warn)').choices(logLevels),
    )
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: text => terminal.put(text.replace(/\n$/, '')),
      writeErr: text => terminal.say(text.replace(/\n$/, '')),
      outputError: () => {},
    })
    .addHelpText('after', closing)
}

/** Those that are named among the arguments with all that they take; of the others what the list shows. */
async function addCommands(program: Command, does: Does, args: readonly string[]): Promise<void> {
  for (const { title, entries } of catalogue) {
    for (const { name, summary, load } of entries) {
      if (args.includes(name)) (await load())(program, does)
      else program.command(name)
      program.commands.at(-1)?.summary(summary).helpGroup(title)
    }
  }
}

const closing = `
Examples:
  holdfast run checkup --path .           examine the repository that one is in
  holdfast run ./my.ts --input '{"n":1}'  run a workflow of one's own
  holdfast run ./my.ts --dry-run          what it would do, and at most
  holdfast explain <id>                   what happened in a run, and why

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not there, 4 waits for a signal,
5 the store has another owner, 6 done but a part was lost, 124 out of time,
130 interrupted, 143 terminated
`

/** What commander refused, in the words of everything else that is refused. */
const usageError = (error: CommanderError): OptionsError =>
  new OptionsError(error.message.replace(/^error: /, '').replaceAll('\n', ' '), {}, { cause: error })

function version(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version
    } catch {
      // The built program is one directory deeper than its source.
    }
  }
  return 'unknown'
}
