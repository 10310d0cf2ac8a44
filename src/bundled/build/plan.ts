/**
 * A plan: the commands of a build, in their order, with all that is needed to run them. What a person writes, in
 * Markdown or YAML, becomes this; it is committed before the first command starts, so that a plan that is edited
 * meanwhile changes nothing of a build that is under way.
 */
import { z } from 'zod'
import { type Duration, toMs } from '../../time/duration.ts'

export const mostCommands = 1000
const longestTimeoutMs = 86_400_000
const mostRetries = 10

export const usualTimeout = '30m'

export const timeoutSchema = z
  .union([z.number(), z.string()], { error: 'must be a duration' })
  .superRefine((value, context) => {
    try {
      const ms = toMs(value as Duration, 'the timeout')
      if (ms < 1 || ms > longestTimeoutMs) context.addIssue(`must be between 1 ms and 24 h, and is ${value}`)
    } catch (error) {
      context.addIssue((error as Error).message)
    }
  })

const environmentSchema = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of a variable: letters, digits and '_'"),
  z.union([z.string(), z.number(), z.boolean()], { error: 'must be a text, a number or a truth value' }),
)

const retriesSchema = z.int(`must be a whole number from 0 to ${mostRetries}`).min(0).max(mostRetries)

/** What may be said of a single command and, for all of them, of the plan. */
const settings = {
  /** Where it runs, relative to the directory of the build. */
  cwd: z.string().min(1).optional(),
  timeout: timeoutSchema.optional(),
  env: environmentSchema.optional(),
  /** How often it is tried again after it has failed. */
  retries: retriesSchema.optional(),
}

/** A command as it is written. */
export const writtenCommandSchema = z.strictObject({
  name: z.string().trim().min(1).max(200).optional(),
  run: z.string({ error: 'must be the text of the command' }).trim().min(1, 'must not be empty'),
  ...settings,
  /** Whether the commands after it run although it has failed. */
  continueOnError: z.boolean().optional(),
  shell: z.enum(['sh', 'bash']).optional(),
})

export type WrittenCommand = z.output<typeof writtenCommandSchema>

/** A plan in YAML. */
export const writtenPlanSchema = z.strictObject({
  name: z.string().trim().min(1).optional(),
  ...settings,
  steps: z
    .array(writtenCommandSchema, { error: 'must be a list of commands' })
    .min(1, 'must have at least one command')
    .max(mostCommands, `must have at most ${mostCommands} commands`),
})

export const plannedCommandSchema = z.object({
  /** `07-run-the-tests`: names the command's stage, `commands[07-run-the-tests]`. */
  key: z.string(),
  title: z.string(),
  run: z.string(),
  shell: z.enum(['sh', 'bash']),
  /** Absolute. */
  directory: z.string(),
  timeoutMs: z.number(),
  retries: z.number(),
  continueOnError: z.boolean(),
  env: z.record(z.string(), z.string()),
})

export type PlannedCommand = z.output<typeof plannedCommandSchema>

export const planSchema = z.object({
  title: z.string(),
  commands: z.array(plannedCommandSchema),
  /** Titles of what the plan says is done already. */
  done: z.array(z.string()),
})

export type Plan = z.output<typeof planSchema>
