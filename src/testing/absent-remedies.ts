/**
 * Remedies for where nobody can give any, as on the command line and in the simulated world: a runtime refuses a stage
 * with a remedy that it does not have, while here one that is needed fails, and the stage goes on to what comes next.
 */
import { HoldfastError } from '../errors.ts'
import type { Remedy } from '../runtime/api.ts'
import { type AnyWorkflow, definitionOf } from '../workflow/definition.ts'

export function absentRemedies(workflows: readonly AnyWorkflow[]): Record<string, Remedy> {
  const stages = workflows.flatMap(workflow => [...definitionOf(workflow).stages.values()])
  return Object.fromEntries(stages.flatMap(({ remedies }) => remedies.map(name => [name, absent(name)])))
}

const absent =
  (name: string): Remedy =>
  () => {
    throw new HoldfastError(
      'invalid_options',
      `there is no remedy '${name}' here; give it to createRuntime({ remedies })`,
    )
  }
