/** The forms of the options that operations take. */
import { z } from 'zod'
import type { Duration } from '../../time/duration.ts'

const note = { reason: z.string().optional(), by: z.string().optional() }
const hold = { hold: z.boolean().optional() }
const amount = z.number().min(0)
const budget = z
  .strictObject({
    usd: amount.optional(),
    tokens: amount.optional(),
    calls: amount.optional(),
    restarts: amount.optional(),
    wallTime: z
      .custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
        error: "must be milliseconds or a text such as '30s'",
      })
      .optional(),
  })
  .optional()
export const retrySchema = z.strictObject({
  ...note,
  ...hold,
  budget,
  fresh: z.boolean().optional(),
  tier: z.enum(['cheap', 'capable', 'premium']).optional(),
})
export const forkSchema = z.strictObject({
  ...hold,
  from: z.string().min(1),
  input: z.unknown().optional(),
  id: z.string().min(1).max(200).optional(),
})
export const noteSchema = z.strictObject(note)
const why = z.string('must say why').min(1, 'must say why')
export const reasonSchema = z.strictObject({ ...note, ...hold, reason: why })
export const completeSchema = z.strictObject({ ...note, ...hold, reason: why, result: z.unknown().optional() })
export const importSchema = z.strictObject({ id: z.string().min(1).max(200).optional() })
export const resumeSchema = z.strictObject({ ...note, budget })
