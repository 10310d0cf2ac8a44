/**
 * The input of a run as text, and back. What is kept is what was given; the schema makes of it what the stages see, at
 * the start and again when the run is restored, so both see the same.
 */
import { ValidationError } from '../../errors.ts'
import type { JsonText } from '../../store/store.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { encodeJson } from '../../workflow/results.ts'
import { checkedValue } from '../stage/checked-value.ts'

/** @throws ValidationError when the input is no JSON, or not of the form that the workflow declares */
export function keptInput(definition: WorkflowDefinition, input: unknown): JsonText {
  const text = encodeJson(input, `input of workflow '${definition.name}'`) ?? ''
  if (!definition.input) return text
  try {
    inputOf(definition, text)
  } catch (error) {
    if (!(error instanceof ValidationError) || !definition.input?.safeParse(input).success) throw error
    throw new ValidationError(
      `${error.message}; an input is kept as JSON, so its schema must take what that gives back: z.coerce.date() in the place of z.date()`,
      error.details,
    )
  }
  return text
}

/** What the stages see as the input. */
export function inputOf(definition: WorkflowDefinition, text: JsonText): unknown {
  const value = rawInput(text)
  if (!definition.input) return value
  return checkedValue(definition.input, value, `input of workflow '${definition.name}'`, { workflow: definition.name })
}

/** An absent input is the empty text. */
export const rawInput = (text: JsonText): unknown => (text === '' ? undefined : JSON.parse(text))

/** Whether two kept inputs are the same to the stages: the order of keys and a default that is spelled out do not count. */
export function isSameInput(definition: WorkflowDefinition, a: JsonText, b: JsonText): boolean {
  return a === b || canonical(inputOf(definition, a)) === canonical(inputOf(definition, b))
}

const canonical = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
