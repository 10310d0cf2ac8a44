/**
 * An error for the person: one paragraph that says what happened and what to do, or with `--json` one document on
 * stdout. The stack is shown with `--debug` only.
 */
import { type ErrorCode, type ErrorType, errorCodes } from '../error-codes.ts'
import { errorCodeOf } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

export interface PrintedError {
  readonly code: string
  readonly type: ErrorType
  readonly message: string
  readonly hint: string
}

/** What to do, where the message does not say it already. */
const hints: Partial<Record<ErrorCode, string>> = {
  invalid_options: 'holdfast --help lists the commands, and holdfast <command> --help its flags',
  invalid_config: 'mend what the message names and start again',
  invalid_value: 'mend the value that the message names and start again',
  run_conflict: 'mend what the message names; a run of its own has an --id of its own',
  circuit_not_found: 'holdfast circuits list shows them; a circuit is there once it has been asked',
  run_not_found: 'holdfast runs list shows the runs of this store; --dir names another',
  run_not_open: 'holdfast runs show <id> says how it ended',
  run_open: 'holdfast runs show <id> says how it stands; resume, pause, cancel and fork apply to it',
  run_imported: 'holdfast fork <id> --from <stage> makes a run of this store from it',
  workflow_unknown: 'go on with it from the program that has its workflow',
  workflow_changed:
    'put back what it was begun with, give its machine a `migrate`, or go over to the new one: holdfast fork <id> --from <stage>',
  workflow_not_found: 'check the path, or name a bundled workflow',
  file_not_found: 'check the path',
  workflow_invalid: 'mend the file and start again',
  store_owned: 'end that process or wait for it, or use another directory with --dir',
  owner_silent: 'look whether that process hangs; the command is kept until it is taken or the store is taken over',
  lease_lost: 'let the process go on that owns the store now',
  store_corrupt: 'move the file away, and restore a backup or start with a new store',
  store_full: 'free some space and start again',
  store_readonly: 'change the permissions, or use another directory with --dir',
  store_newer: 'update Holdfast, or use another directory with --dir',
  store_missing: '--dir names the directory of the store; holdfast run makes one',
  store_not_empty: 'name another file or directory; restore replaces a store with --force',
  store_failed: 'look after the disk and start again; what was acknowledged is safe',
}

const unexpected = 'this is a defect of the workflow or of Holdfast; --debug shows where it was thrown'

export function describeError(error: unknown): PrintedError {
  const code = errorCodeOf(error)
  const message = error instanceof Error && error.message !== '' ? error.message : messageOf(error)
  return {
    code: code ?? 'unexpected',
    type: code ? errorCodes[code].type : 'runtime',
    message,
    hint: code ? (hints[code] ?? errorCodes[code].meaning) : unexpected,
  }
}

export interface ErrorForm {
  readonly json: boolean
  readonly debug: boolean
}

export function printError(error: unknown, terminal: Terminal, form: ErrorForm): void {
  putError(describeError(error), terminal, form)
  if (form.debug) terminal.say(stackOf(error))
}

export function putError(described: PrintedError, terminal: Terminal, { json }: ErrorForm): void {
  const { paint } = terminal
  if (json) terminal.put(JSON.stringify({ error: described }, null, 2))
  else terminal.say(`${paint('red', 'error:')} ${described.message}\n${paint('dim', `hint: ${described.hint}`)}`)
}

function messageOf(thrown: unknown): string {
  const { message } = (thrown ?? {}) as { message?: unknown }
  return typeof message === 'string' ? message : `${String(thrown)} was thrown, which is no error`
}

function stackOf(error: unknown): string {
  const { stack, cause } = (error ?? {}) as { stack?: unknown; cause?: unknown }
  const own = typeof stack === 'string' ? stack : messageOf(error)
  return cause === undefined ? own : `${own}\ncaused by: ${stackOf(cause)}`
}
