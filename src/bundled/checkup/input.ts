/** What a checkup is asked: which directory, and how much of it. */
import { z } from 'zod'
import { type Duration, toMs } from '../../time/duration.ts'

const longestTimeoutMs = 3_600_000

const timeoutSchema = z.union([z.number(), z.string()]).superRefine((value, context) => {
  try {
    const ms = toMs(value as Duration, 'timeout')
    if (ms < 1 || ms > longestTimeoutMs) context.addIssue(`timeout must be between 1 ms and 1 h, and is ${value}`)
  } catch (error) {
    context.addIssue((error as Error).message)
  }
})

export const checkupInputSchema = z.strictObject({
  /** The directory of the repository. */
  path: z.string().min(1),
  /** For one run of one test file. */
  timeout: timeoutSchema.default('60s'),
  /** Globs, directories or file names; only what one of them matches is looked at. */
  include: z.array(z.string().min(1)).optional(),
  exclude: z.array(z.string().min(1)).optional(),
  /** How far back the history is read: a date as git understands it, or a commit, tag or branch. */
  since: z
    .string()
    .min(1)
    .refine(since => !since.startsWith('-'), 'since must be a date, a commit, a tag or a branch')
    .optional(),
  /** Run at most so many test files; without it all. */
  maxTests: z.number().int().min(0).optional(),
})
