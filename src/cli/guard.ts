/**
 * Watches over a process in which a run goes on. Whatever ends the process — an error that was thrown outside of any
 * stage, code that calls `process.exit` — the person hears which run is unfinished and how to go on with it.
 */

import { exitCodes } from './exit-codes.ts'
import { type ErrorForm, printError } from './print-error.ts'
import type { Terminal } from './terminal.ts'

export interface Guard {
  /** From now on the run is in this process's hands; `resumeCommand` goes on with it. */
  watch(runId: string, resumeCommand: string): void
  /** The run has ended, or the person has been told of it. */
  release(runId: string): void
}

export function createGuard(terminal: Terminal, wants: ErrorForm): Guard {
  const watched = new Map<string, string>()
  process.on('exit', code => {
    // Code in a stage that leaves with 0 says that it is done; the run is not.
    if (code === exitCodes.done && watched.size > 0) process.exitCode = exitCodes.failed
    for (const [runId, resumeCommand] of watched) {
      terminal.pin([])
      terminal.say(`the process ended while run ${runId} was unfinished; go on with: ${resumeCommand}`)
    }
  })
  const crash = (thrown: unknown): void => {
    terminal.pin([])
    printError(asThrownOutside(thrown), terminal, wants)
    process.exit(exitCodes.failed)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  return {
    watch: (runId, resumeCommand) => void watched.set(runId, resumeCommand),
    release: runId => void watched.delete(runId),
  }
}

/** Says that no stage could catch it, which is why the process ends and not the stage. */
function asThrownOutside(thrown: unknown): Error {
  const { name, message } = (thrown ?? {}) as { name?: unknown; message?: unknown }
  const said = typeof message === 'string' ? `${String(name)}: ${message}` : String(thrown)
  return new Error(`thrown outside of any stage, in a timer, a listener or a promise that nobody awaits: ${said}`, {
    cause: thrown,
  })
}
