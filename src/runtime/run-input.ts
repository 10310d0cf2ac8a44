/**
 * The input of a run as text, and back. What is kept is what was given; the schema makes of it what the stages see, at
 * the start and again when the run is restored, so both see the same.
 */
import { ValidationError } from '../errors.ts'
import { describeIssue } from '../options.ts'
import type { JsonText } from '../store/store.ts'
import type { WorkflowDefinition } from '../workflow/definition.ts'
import { encodeJson } from '../workflow/results.ts'

/** @throws ValidationError when the input is no JSON, or not of the form that the workflow declares */
export function keptInput(definition: WorkflowDefinition, input: unknown): JsonText {
  const text = encodeJson(input, `input of workflow '${definition.name}'`) ?? ''
  inputOf(definition, text)
  return text
}

/** What the stages see as the input. */
export function inputOf(definition: WorkflowDefinition, text: JsonText): unknown {
  const value = rawInput(text)
  if (!definition.input) return value
  const parsed = definition.input.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new ValidationError(
    `input of workflow '${definition.name}': ${issue ? describeIssue(issue) : 'is not of its form'}`,
    {
      workflow: definition.name,
      path: issue?.path.map(String).join('.') ?? '',
    },
  )
}

/** An absent input is the empty text. */
export const rawInput = (text: JsonText): unknown => (text === '' ? undefined : JSON.parse(text))
