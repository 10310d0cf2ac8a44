/** A simulated model that is asked for data of a schema answers data that the schema accepts. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { answerOfSchema } from '../../../src/testing/simulator/answer-of-schema.ts'
import { seededRandom } from '../../../src/testing.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string(), children: z.array(tree).readonly() }))

const schemas: Readonly<Record<string, z.ZodType>> = {
  text: z.string().min(2).max(9),
  pattern: z.string().regex(/^[a-f]{3}-\d+$/),
  'pattern of a length': z
    .string()
    .regex(/^[a-c]+$/)
    .min(3)
    .max(6),
  affixes: z.string().startsWith('ab').endsWith('z'),
  formats: z.object({ mail: z.email(), url: z.url(), id: z.uuid(), at: z.iso.datetime(), ip: z.ipv4() }),
  numbers: z.object({
    any: z.number(),
    low: z.number().max(-5),
    whole: z.int().min(3).max(5),
    half: z.number().gt(0).lt(1),
  }),
  steps: z.number().multipleOf(5).min(-20).max(100),
  record: z.record(z.enum(['a', 'b']), z.int()),
  'record of patterns': z.record(z.string().regex(/^k\d$/), z.boolean()),
  union: z.union([z.string(), z.int(), z.null()]),
  discriminated: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), count: z.int() }),
    z.object({ kind: z.literal('b'), name: z.string().optional() }),
  ]),
  list: z
    .array(z.enum(['x', 'y']))
    .min(2)
    .max(4),
  tuple: z.tuple([z.int(), z.string()]),
  'one that contains itself': tree,
  'one that is referred to': z.object({ left: tree, right: tree }),
}

describe('an answer of a simulated model', () => {
  it.each(Object.keys(schemas))('is of the schema that was asked for: %s', name => {
    const schema = schemas[name] as z.ZodType
    const form = z.toJSONSchema(schema)
    fc.assert(
      fc.property(fc.nat(), seed => {
        const made = answerOfSchema(form, seededRandom(seed))
        expect(schema.safeParse(JSON.parse(JSON.stringify(made))).error?.issues, JSON.stringify(made)).toBeUndefined()
      }),
      { numRuns: propertyRuns },
    )
  })
})
