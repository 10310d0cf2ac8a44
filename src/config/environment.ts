/**
 * What the environment says to the command line, to every runtime and, of providers, to those that were given none. An
 * empty variable counts as absent. A flag wins over a variable, and a variable over a default.
 */

import { ConfigError } from '../errors.ts'

export interface Environment {
  /** `HOLDFAST_DIR`: where the store, its logs and its telemetry are. */
  readonly directory: string | undefined
  /** `HOLDFAST_LOG_LEVEL`. */
  readonly logLevel: string | undefined
  /** `NO_COLOR`, whatever it says. */
  readonly noColor: boolean
  /** npm started this process, for `npx` or a script: then a shell has no `holdfast` by itself, as likely as not. */
  readonly byNpm: boolean
}

/** What the environment says of providers. */
export interface ProviderEnvironment {
  /** `OPENAI_API_KEY`. */
  readonly openaiKey: string | undefined
  /** `HOLDFAST_OPENAI_BASE_URL`: a server that speaks like OpenAI, asked in its place. */
  readonly openaiBaseURL: string | undefined
  /** `HOLDFAST_OPENAI_MODELS`: what it offers, in the place of OpenAI's models. */
  readonly openaiModels: string | undefined
  /** `ANTHROPIC_API_KEY`. */
  readonly anthropicKey: string | undefined
}

/** @param variables default: this process's */
export function readProviderEnvironment(variables: NodeJS.ProcessEnv = process.env): ProviderEnvironment {
  const told = (name: string): string | undefined => variables[name]?.trim() || undefined
  return {
    openaiKey: told('OPENAI_API_KEY'),
    openaiBaseURL: told('HOLDFAST_OPENAI_BASE_URL'),
    openaiModels: told('HOLDFAST_OPENAI_MODELS'),
    anthropicKey: told('ANTHROPIC_API_KEY'),
  }
}

/** @param variables default: this process's */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
  return {
    directory: variables.HOLDFAST_DIR || undefined,
    logLevel: variables.HOLDFAST_LOG_LEVEL || undefined,
    noColor: Boolean(variables.NO_COLOR),
    byNpm: Boolean(variables.npm_execpath),
  }
}

/** What the environment changes in every profile of every run; see `ProfileOverrides`. */
export interface EnvironmentOverrides {
  readonly maxRetries?: number
  readonly timeoutMultiplier?: number
}

/**
 * `HOLDFAST_MAX_RETRIES` and `HOLDFAST_TIMEOUT_MULTIPLIER`.
 * @param variables default: this process's
 * @throws ConfigError for a value that is no such number
 */
export function readProfileOverrides(variables: NodeJS.ProcessEnv = process.env): EnvironmentOverrides {
  const maxRetries = numberIn(
    variables,
    'HOLDFAST_MAX_RETRIES',
    'a whole number from 0',
    value => Number.isInteger(value) && value >= 0,
  )
  const multiplier = numberIn(variables, 'HOLDFAST_TIMEOUT_MULTIPLIER', 'a number above 0', value => value > 0)
  return {
    ...(maxRetries === undefined ? {} : { maxRetries }),
    ...(multiplier === undefined ? {} : { timeoutMultiplier: multiplier }),
  }
}

function numberIn(
  variables: NodeJS.ProcessEnv,
  name: string,
  what: string,
  isValid: (value: number) => boolean,
): number | undefined {
  const text = variables[name]?.trim()
  if (!text) return undefined
  const value = Number(text)
  if (Number.isFinite(value) && isValid(value)) return value
  throw new ConfigError(`${name} must be ${what}, and is '${text}'; change it or leave it out`, { path: name })
}
