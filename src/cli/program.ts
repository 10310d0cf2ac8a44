/** The command line as a whole: which commands there are, and how what they give or throw becomes an exit code. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { OptionsError } from '../index.ts'
import { logLevels } from './cli-logger.ts'
import { addAboutRun } from './commands/about-run.ts'
import { addBackup } from './commands/backup.ts'
import { addBundle } from './commands/bundle.ts'
import { addCircuits } from './commands/circuits.ts'
import type { Does } from './commands/command.ts'
import { addCost } from './commands/cost.ts'
import { addDiagnostics } from './commands/diagnostics.ts'
import { addExplain } from './commands/explain.ts'
import { addFork } from './commands/fork.ts'
import { addModels } from './commands/models.ts'
import { addProfiles } from './commands/profiles.ts'
import { addQuarantine } from './commands/quarantine.ts'
import { addRecover } from './commands/recover.ts'
import { addResume } from './commands/resume.ts'
import { addRetry } from './commands/retry.ts'
import { addRun } from './commands/run.ts'
import { addRuns } from './commands/runs.ts'
import { addSimulate } from './commands/simulate.ts'
import { addStage } from './commands/stage.ts'
import { addTree } from './commands/tree.ts'
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
    await createProgram(terminal, does).parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage
    const told = error instanceof CommanderError ? usageError(error) : error
    printError(told, terminal, wants)
    return exitCodeOfError(told)
  }
}

function createProgram(terminal: Terminal, does: Does): Command {
  const program = new Command('holdfast')
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
  for (const add of [
    addRun,
    addResume,
    addRetry,
    addAboutRun,
    addFork,
    addStage,
    addRecover,
    addRuns,
    addQuarantine,
    addDiagnostics,
    addBundle,
    addBackup,
    addTree,
    addExplain,
    addProfiles,
    addSimulate,
    addCircuits,
    addModels,
    addCost,
  ])
    add(program, does)
  return program
}

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
