/**
 * Which names a workflow, a stage and a signal may have. Names become state keys, actor ids and parts of run ids, so
 * what XState or JSON would read as something else is refused where it is written, with what to write instead.
 */
import { OptionsError } from '../errors.ts'

const longestName = 100
const stageName = /^[\p{L}\p{N}_-](?:[\p{L}\p{N}_ -]*[\p{L}\p{N}_-])?$/u
const workflowName = /^[\p{L}\p{N}_.-]+$/u

/** @throws OptionsError unless it is letters, digits, `_`, `-` and, inside, spaces; at most 100 characters. */
export function checkStageName(name: unknown, workflow: string): asserts name is string {
  const where = `workflow '${workflow}'`
  if (typeof name !== 'string' || name === '') {
    throw new OptionsError(`${where}: the name of a stage must be a text that is not empty, and is ${shown(name)}`)
  }
  if (name.length > longestName) {
    throw new OptionsError(
      `${where}: the stage name '${name.slice(0, 40)}…' has ${name.length} characters; use at most ${longestName}`,
      { stage: name.slice(0, longestName) },
    )
  }
  if (!stageName.test(name)) {
    throw new OptionsError(
      `${where}: the stage name '${name}' may have letters, digits, '_', '-' and, between them, spaces; rename it`,
      { stage: name },
    )
  }
  if (isReserved(name)) {
    throw new OptionsError(`${where}: the stage name '${name}' is reserved; rename it`, { stage: name })
  }
}

/** @throws OptionsError unless it is letters, digits, `_`, `-` and `.`; at most 100 characters. */
export function checkWorkflowName(name: string, where: string): void {
  if (name.length <= longestName && workflowName.test(name) && !isReserved(name)) return
  throw new OptionsError(
    `${where}: the name ${shown(name)} must be letters, digits, '_', '-' and '.', at most ${longestName} of them, and not begin with 'xstate'`,
    { name: name.slice(0, longestName) },
  )
}

/** @throws OptionsError for a name that XState keeps for its own events. */
export function checkSignalName(name: string, where: string): void {
  if (name !== '' && name !== '*' && !name.endsWith('.*') && !isReserved(name)) return
  throw new OptionsError(
    `${where}: a signal may not be named ${shown(name)}: XState keeps names that begin with 'xstate' and wildcards; rename it`,
    { signal: name },
  )
}

const isReserved = (name: string): boolean => name.startsWith('xstate') || name === '__proto__'

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, longestName)) : String(value)
}
