/**
 * The classes of the errors that Holdfast throws. Each has a code of the catalogue, and `cause` is always kept. All of them
 * survive JSON: `encodeError` makes plain data of anything thrown, `decodeError` gives back an error of the same name,
 * message and code.
 */
import { type ErrorCategory, type ErrorCode, type ErrorType, errorCodes } from './error-codes.ts'

export interface ErrorDetails {
  readonly [name: string]: unknown
}

interface HoldfastErrorOptions {
  readonly cause?: unknown
}

/** The base of every error of Holdfast. `details` is JSON data. */
export class HoldfastError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = new.target.name
    this.code = code
    this.details = details
  }

  get type(): ErrorType {
    return errorCodes[this.code].type
  }

  get category(): ErrorCategory {
    return errorCodes[this.code].category
  }

  /** What `JSON.stringify` writes: the error with its causes as plain data. */
  toJSON(): EncodedError {
    return encodeError(this)
  }
}

/** An option that does not exist or has the wrong form; thrown before anything happened. */
export class OptionsError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super((details.code as ErrorCode | undefined) ?? 'invalid_options', message, details, options)
  }
}

/** A configuration file that cannot be used; `details` has `file line column path`. */
export class ConfigError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super((details.code as ErrorCode | undefined) ?? 'invalid_config', message, details, options)
  }
}

/** An input, result, signal or item of the wrong form; `details.path` says where. */
export class ValidationError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super((details.code as ErrorCode | undefined) ?? 'invalid_value', message, details, options)
  }
}

export class RunConflictError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('run_conflict', message, details)
  }
}

export class RunNotFoundError extends HoldfastError {
  constructor(runId: string) {
    super('run_not_found', `there is no run ${JSON.stringify(runId)} in this store`, { runId })
  }
}

export class SupervisorError extends HoldfastError {}

/** A provider's failure, already classified; `details` has `kind scope transient action retryAfterMs? provider? model?`. */
export class ProviderError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super('provider_failed', message, details, options)
  }
}

export class TimeoutError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super('timed_out', message, { kind: 'timeout', ...details }, options)
  }
}

/** `details.remainingMs` is the time until the circuit lets a probe through. */
export class CircuitOpenError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super('circuit_open', message, { kind: 'circuit_open', ...details }, options)
  }
}

/** `details` has `currency limit spent`. */
export class BudgetExceededError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('budget_exceeded', message, details)
  }
}

/** A stage that failed for good; `details.stage` names it, `cause` says why. */
export class StageError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super('stage_failed', message, details, options)
  }
}

/** More restarts than allowed; `details` has `rule counters`. */
export class RestartIntensityError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super('restart_intensity', message, details, options)
  }
}

export class SnapshotError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super((details.code as ErrorCode | undefined) ?? 'snapshot_invalid', message, details, options)
  }
}

/** A failure of the store, by its `code`. */
export class StoreError extends HoldfastError {}

export class LeaseLostError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('lease_lost', message, details)
  }
}

export class CancelledError extends HoldfastError {
  constructor(message: string, details: ErrorDetails = {}, options: HoldfastErrorOptions = {}) {
    super('cancelled', message, { kind: 'cancelled', ...details }, options)
  }
}

const classes = {
  HoldfastError,
  OptionsError,
  ConfigError,
  ValidationError,
  RunConflictError,
  RunNotFoundError,
  SupervisorError,
  ProviderError,
  TimeoutError,
  CircuitOpenError,
  BudgetExceededError,
  StageError,
  RestartIntensityError,
  SnapshotError,
  StoreError,
  LeaseLostError,
  CancelledError,
}

/** An error as plain JSON data. */
export interface EncodedError {
  readonly name: string
  readonly message: string
  readonly code?: string | undefined
  readonly details?: ErrorDetails | undefined
  readonly stack?: string | undefined
  readonly cause?: EncodedError | undefined
}

const deepestCause = 8
const longestText = 8000

/** Anything thrown, as JSON data. Never throws: getters that throw, cycles and values that are no errors are survived. */
export function encodeError(thrown: unknown, depth = 0): EncodedError {
  try {
    if (thrown === null || (typeof thrown !== 'object' && typeof thrown !== 'function')) {
      return { name: 'Error', message: `${printable(thrown)} was thrown, which is no error` }
    }
    const error = thrown as {
      name?: unknown
      message?: unknown
      code?: unknown
      details?: unknown
      stack?: unknown
      cause?: unknown
    }
    const code = typeof error.code === 'string' || typeof error.code === 'number' ? String(error.code) : undefined
    const details = plainDetails(error.details)
    const message =
      typeof error.message === 'string' ? error.message : `an object that is no error was thrown: ${printable(thrown)}`
    return {
      name: typeof error.name === 'string' && error.name !== '' ? error.name : 'Error',
      message: message.slice(0, longestText),
      ...(code === undefined ? {} : { code }),
      ...(details === undefined ? {} : { details }),
      ...(typeof error.stack === 'string' ? { stack: error.stack.slice(0, longestText) } : {}),
      ...(error.cause === undefined || depth >= deepestCause ? {} : { cause: encodeError(error.cause, depth + 1) }),
    }
  } catch {
    return { name: 'Error', message: 'what was thrown cannot be read' }
  }
}

/** The error that was encoded: of the same class where it is one of ours, else an `Error` of the same name and code. */
export function decodeError(encoded: EncodedError): Error {
  const cause = encoded.cause === undefined ? undefined : decodeError(encoded.cause)
  const known = Object.hasOwn(classes, encoded.name) ? classes[encoded.name as keyof typeof classes] : undefined
  const error = known ? Object.create(known.prototype) : new Error(encoded.message)
  const define = (name: string, value: unknown): void => {
    Object.defineProperty(error, name, {
      value,
      configurable: true,
      writable: true,
      enumerable: name === 'code' || name === 'details',
    })
  }
  define('name', encoded.name)
  define('message', encoded.message)
  define('stack', encoded.stack ?? `${encoded.name}: ${encoded.message}`)
  if (encoded.code !== undefined) define('code', encoded.code)
  if (known || encoded.details) define('details', encoded.details ?? {})
  if (cause) define('cause', cause)
  return error as Error
}

function plainDetails(details: unknown): ErrorDetails | undefined {
  if (details === null || typeof details !== 'object') return undefined
  try {
    const text = JSON.stringify(details)
    return text === undefined || text === '{}' || text.length > longestText * 4
      ? undefined
      : (JSON.parse(text) as ErrorDetails)
  } catch {
    return undefined
  }
}

function printable(value: unknown): string {
  try {
    const text =
      typeof value === 'string'
        ? JSON.stringify(value)
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value)
    return (text ?? 'undefined').slice(0, 200)
  } catch {
    return 'a value that cannot be printed'
  }
}
