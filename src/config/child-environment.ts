/**
 * The environment of the child processes that Holdfast starts in a repository: its own, without what the repository has
 * no business with. Variables that look like keys, tokens or passwords are left out by name and by value, so is what
 * belongs to the npm, the test runner or the Holdfast that started us. Read at the time of the call.
 */

/** Counts checkups inside the tests of checkups, so that they cannot go on for ever. */
const depthVariable = 'HOLDFAST_CHECKUP_DEPTH'

const secretName =
  /(?:^|_)(?:KEYS?|APIKEYS?|TOKENS?|SECRETS?|PASS|PASSWORDS?|PASSWD|PASSPHRASE|PWD_?HASH|CREDENTIALS?|CREDS?|AUTH|SESSION|COOKIES?|DSN|PAT|PRIVATE|SIGNATURE|WEBHOOK|CONNECTION_?STRING|(?:DATABASE|DB|REDIS|MONGO(?:DB)?|POSTGRES|MYSQL|AMQP)_UR[IL])(?:_|\d|$)|(?:KEY|TOKEN|SECRET|PASSWORD)$/i
const secretValue =
  /^[a-z][a-z0-9+.-]*:\/\/[^/\s@]*:[^/\s@]+@|^(?:gh[pousr]_|github_pat_|glpat-|npm_|xox[a-z]-|sk-|AKIA|AIza)[A-Za-z0-9_-]{12,}$/
const ofOurParents =
  /^(?:npm_|VITEST|JEST_|MOCHA|NYC_|HOLDFAST_)|^(?:NODE_OPTIONS|NODE_ENV|NODE_CHANNEL_FD|NODE_CHANNEL_SERIALIZATION_MODE|NODE_TEST_CONTEXT|NODE_V8_COVERAGE|TEST|INIT_CWD|FORCE_COLOR|TEST_WORKER_INDEX|TAP)$/

/** How many checkups this process is inside of: 0 outside of any. */
export function checkupDepth(environment: NodeJS.ProcessEnv = process.env): number {
  const depth = Number.parseInt(environment[depthVariable] ?? '', 10)
  return Number.isInteger(depth) && depth > 0 ? depth : 0
}

/** @param environment default: this process's */
export function childEnvironment(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      !secretName.test(entry[0]) &&
      !secretValue.test(entry[1]) &&
      !ofOurParents.test(entry[0]),
  )
  return {
    ...Object.fromEntries(kept),
    CI: '1',
    NO_COLOR: '1',
    [depthVariable]: String(checkupDepth(environment) + 1),
  }
}

/** The variables of these names that are set, whatever they hold: somebody asked for them by name. */
export function variablesNamed(
  names: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap(name => {
      const value = environment[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
