/**
 * The exit codes of the command line, and which error or result ends with which. This is the only place that says so;
 * an error whose code is not in the table ends with 1.
 */
import { type ErrorCode, errorCodes } from '../error-codes.ts'
import type { RunResult } from '../index.ts'

export const exitCodes = {
  done: 0,
  /** The run failed, was quarantined, cancelled or out of budget; or the store cannot be used. */
  failed: 1,
  /** Usage or configuration. */
  usage: 2,
  /** No such run, workflow or file. */
  notFound: 3,
  /** Nothing is left but to wait for a signal. */
  waiting: 4,
  /** Another process owns the store. */
  ownedElsewhere: 5,
  /** Done, but an optional stage or item was lost; with `--strict`, anything that degraded. */
  lossy: 6,
  /** The run passed its deadline or run timeout. */
  timedOut: 124,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const byErrorCode: Partial<Record<ErrorCode, ExitCode>> = {
  invalid_options: exitCodes.usage,
  invalid_config: exitCodes.usage,
  invalid_value: exitCodes.usage,
  run_conflict: exitCodes.usage,
  run_not_open: exitCodes.usage,
  run_open: exitCodes.usage,
  run_imported: exitCodes.usage,
  workflow_unknown: exitCodes.usage,
  workflow_changed: exitCodes.usage,
  workflow_invalid: exitCodes.usage,
  workflow_not_found: exitCodes.notFound,
  file_not_found: exitCodes.notFound,
  store_missing: exitCodes.notFound,
  store_not_empty: exitCodes.usage,
  circuit_not_found: exitCodes.notFound,
  run_not_found: exitCodes.notFound,
  store_owned: exitCodes.ownedElsewhere,
  owner_silent: exitCodes.ownedElsewhere,
  lease_lost: exitCodes.ownedElsewhere,
}

/** The code of Holdfast that an error carries, whichever copy of the package threw it. */
export function errorCodeOf(error: unknown): ErrorCode | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' && Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : undefined
}

export function exitCodeOfError(error: unknown): ExitCode {
  const code = errorCodeOf(error)
  return (code && byErrorCode[code]) ?? exitCodes.failed
}

export interface Losses {
  /** How many optional stages and items were given up. */
  readonly lost: number
  /** Whether any degradation counts. */
  readonly strict: boolean
}

export function exitCodeOfResult(result: RunResult, { lost, strict }: Losses): ExitCode {
  if (result.success) return lost > 0 || (strict && result.degraded.length > 0) ? exitCodes.lossy : exitCodes.done
  // A timeout that no stage is blamed for is the run's own: its deadline, its run timeout, or the time of its budget.
  return result.error.type === 'timeout' && result.error.stage === undefined ? exitCodes.timedOut : exitCodes.failed
}
