/** A value that a schema has checked. */
import type { ZodType } from 'zod'
import { type ErrorDetails, OptionsError, ValidationError } from '../../errors.ts'
import { describeIssue, tellingIssue } from '../../options.ts'

/**
 * What the schema makes of the value.
 * @param where what the message calls it: `result of stage 'collect'`
 * @throws ValidationError that names the place within the value; `details.path` has it too
 */
export function checkedValue(schema: ZodType, value: unknown, where: string, details: ErrorDetails): unknown {
  const parsed = parsedBy(schema, value, where)
  if (parsed.success) return parsed.data
  const issue = tellingIssue(parsed.error)
  throw new ValidationError(`${where}: ${describeIssue(issue, schema)}`, {
    ...details,
    path: issue?.path.map(String).join('.') ?? '',
  })
}

/**
 * What the schema says of the value. Values are checked at the moment they come, so a schema cannot wait for something.
 * @throws OptionsError where it does
 */
export function parsedBy(schema: ZodType, value: unknown, where: string): ReturnType<ZodType['safeParse']> {
  try {
    return schema.safeParse(value)
  } catch (error) {
    throw new OptionsError(
      `${where}: its schema could not be applied: ${error instanceof Error ? error.message : String(error)}; a schema must be synchronous`,
      {},
      { cause: error },
    )
  }
}
