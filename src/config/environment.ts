/**
 * What the environment says to the command line. An empty variable counts as absent. A flag wins over a variable, and a
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

/** @param variables default: this process's */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
  return {
    directory: variables.HOLDFAST_DIR || undefined,
    logLevel: variables.HOLDFAST_LOG_LEVEL || undefined,
    noColor: Boolean(variables.NO_COLOR),
  }
}
