/** What is derived from a schema, the schema accepts; and what of a machine, the machine takes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import { arbitraryOfSchema } from '../../../src/testing/arbitrary-of-schema.ts'
import { eventsOf } from '../../../src/testing.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

interface Tree {
  name: string
  children?: Tree[] | undefined
}
const tree: z.ZodType<Tree> = z.object({ name: z.string().max(3), children: z.array(z.lazy(() => tree)).optional() })

const schemas: Readonly<Record<string, z.ZodType>> = {
  string: z.string().min(2).max(5),
  email: z.email(),
  'string email': z.string().email(),
  url: z.url(),
  uuid: z.uuid(),
  datetime: z.iso.datetime(),
  date: z.iso.date(),
  regex: z.string().regex(/^[a-f]{3}-\d+$/),
  affixes: z.string().startsWith('a-').endsWith('-z').includes('mid'),
  number: z.number(),
  between: z.number().gt(0).lt(1),
  int: z.int(),
  'whole between': z.number().int().min(3).max(5),
  steps: z.number().multipleOf(5).min(-20).max(100),
  'far away': z.number().min(1e12),
  bigint: z.bigint().min(5n),
  boolean: z.boolean(),
  day: z.date().min(new Date('2026-01-01')),
  literal: z.literal(['a', 1, null]),
  enum: z.enum(['x', 'y']),
  union: z.union([z.string(), z.number()]),
  discriminated: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), n: z.number() }),
    z.object({ kind: z.literal('b'), s: z.string() }),
  ]),
  object: z.strictObject({ a: z.string(), b: z.number().optional(), c: z.string().nullable(), d: z.int().default(3) }),
  array: z.array(z.boolean()).min(1).max(3),
  tuple: z.tuple([z.string(), z.int()]),
  record: z.record(z.string().min(1), z.int()),
  'record of names': z.record(z.enum(['p', 'q']), z.boolean()),
  map: z.map(z.string(), z.int()),
  set: z.set(z.int()),
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() })),
  refined: z
    .int()
    .min(0)
    .max(1000)
    .refine(n => n % 2 === 0),
  transformed: z.string().transform(text => text.length),
  unknown: z.unknown(),
  readonly: z.object({ a: z.string() }).readonly(),
  tree,
}

describe('an arbitrary of a schema', () => {
  it.each(Object.entries(schemas))('of %s makes what it accepts', (name, schema) => {
    fc.assert(
      fc.property(arbitraryOfSchema(schema, name), value => schema.safeParse(value).success),
      { numRuns: propertyRuns },
    )
  })

  it.each([
    [z.object({ a: z.array(z.custom<string>()) }), 'a[]'],
    [z.string().refine(text => text === 'the one'), 'has a check that none'],
    [z.never(), 'z.never()'],
  ])('of what cannot be derived says where', (schema, message) => {
    expect(() => arbitraryOfSchema(schema, 'events.PAY')).toThrow(message)
    expect(() => arbitraryOfSchema(schema, 'events.PAY')).toThrow('give a fast-check arbitrary')
  })
})

describe('eventsOf', () => {
  it('makes every event of the machine, with its data, and none of XState’s own', () => {
    const machine = setup({
      types: {} as { events: { type: 'PAY'; amount: number } | { type: 'STOP' } },
      schemas: { events: { PAY: z.object({ amount: z.int().min(1) }) } },
    }).createMachine({ id: 'shop', initial: 'a', states: { a: { after: { 10: 'a' }, on: { PAY: 'a', STOP: 'a' } } } })
    const seen = new Set<string>()
    fc.assert(
      fc.property(eventsOf(machine), event => {
        seen.add(event.type)
        return event.type === 'STOP' || event.amount >= 1
      }),
      { numRuns: 100 },
    )
    expect([...seen].sort()).toEqual(['PAY', 'STOP'])
  })

  it('refuses a machine that takes none', () => {
    expect(() => eventsOf(setup({}).createMachine({ id: 'deaf' }))).toThrow("machine 'deaf' takes no event")
  })
})
