/** Whether a stage runs, is skipped, or cannot be begun: decided when it is created, from `when`. */

import type { StageFailure } from '../../../machines/stage.machine.ts'
import { StageError, ValidationError } from '../../errors.ts'
import type { StageDefinition } from '../../workflow/definition.ts'
import type { LiveRun, LiveStage } from '../run/live.ts'
import { checkedValue } from './checked-value.ts'
import { describeFailure } from './failure.ts'

export interface Admission {
  readonly admission: 'run' | 'skip' | 'refuse'
  readonly failure?: StageFailure | undefined
}

/** An item is admitted with its map; `stage` is given where its own input is to be checked. */
export function admit(run: LiveRun, definition: StageDefinition, isItem: boolean, stage?: LiveStage): Admission {
  if (definition.input && stage) {
    try {
      stage.input = checkedValue(definition.input, stage.input, `input of stage '${stage.name}'`, { stage: stage.name })
    } catch (error) {
      return refused(error)
    }
  }
  if (!definition.when || isItem) return { admission: 'run' }
  try {
    const answer: unknown = definition.when({ input: run.input, results: run.resultsOf(definition.ancestors) })
    if (answer !== null && typeof answer === 'object' && 'then' in answer) {
      return refused(
        new ValidationError(`\`when\` of stage '${definition.name}' returned a promise; it must be synchronous`, {
          stage: definition.name,
        }),
      )
    }
    return { admission: answer ? 'run' : 'skip' }
  } catch (error) {
    return refused(
      new StageError(
        `\`when\` of stage '${definition.name}' threw: ${messageOf(error)}`,
        { stage: definition.name, recorded: true },
        { cause: error },
      ),
    )
  }
}

const refused = (error: unknown): Admission => ({ admission: 'refuse', failure: describeFailure(error) })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
