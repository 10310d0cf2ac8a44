/**
 * What the environment says to the command line and, of providers, to the runtime. An empty variable counts as absent. A flag wins over a variable, and a
 * variable over a default.
 */

export interface Environment {
  /** `HOLDFAST_DIR`: where the store, its logs and its telemetry are. */
  readonly directory: string | undefined
  /** `HOLDFAST_LOG_LEVEL`. */
  readonly logLevel: string | undefined
  /** `NO_COLOR`, whatever it says. */
  readonly noColor: boolean
}

/** What the environment says of providers. */
export interface ProviderEnvironment {
  /** `OPENAI_API_KEY`. */
  readonly openaiKey: string | undefined
  /** `HOLDFAST_OPENAI_BASE_URL`: a server that speaks like OpenAI, asked in its place. */
  readonly openaiBaseURL: string | undefined
  /** `ANTHROPIC_API_KEY`. */
  readonly anthropicKey: string | undefined
}

/** @param variables default: this process's */
export function readProviderEnvironment(variables: NodeJS.ProcessEnv = process.env): ProviderEnvironment {
  const told = (name: string): string | undefined => variables[name]?.trim() || undefined
  return {
    openaiKey: told('OPENAI_API_KEY'),
    openaiBaseURL: told('HOLDFAST_OPENAI_BASE_URL'),
    anthropicKey: told('ANTHROPIC_API_KEY'),
  }
}

/** @param variables default: this process's */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
  return {
    directory: variables.HOLDFAST_DIR || undefined,
    logLevel: variables.HOLDFAST_LOG_LEVEL || undefined,
    noColor: Boolean(variables.NO_COLOR),
  }
}
