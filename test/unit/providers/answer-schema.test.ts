import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { decodable, requiresAll } from '../../../src/providers/answer-schema.ts'

const of = (schema: z.ZodType) => decodable(z.toJSONSchema(schema))

describe('a schema to decode by', () => {
  it('keeps types, properties, choices and descriptions', () => {
    const finding = z.object({
      severity: z.enum(['low', 'high']),
      line: z.int().nullable(),
      fix: z.union([z.literal('none'), z.object({ text: z.string().describe('The new text.') })]),
      at: z.iso.datetime(),
    })
    expect(of(z.object({ findings: z.array(finding) }))).toEqual({
      type: 'object',
      properties: {
        findings: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              severity: { type: 'string', enum: ['low', 'high'] },
              line: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
              fix: {
                anyOf: [
                  { type: 'string', const: 'none' },
                  {
                    type: 'object',
                    properties: { text: { type: 'string', description: 'The new text.' } },
                    required: ['text'],
                    additionalProperties: false,
                  },
                ],
              },
              at: { type: 'string', format: 'date-time' },
            },
            required: ['severity', 'line', 'fix', 'at'],
            additionalProperties: false,
          },
        },
      },
      required: ['findings'],
      additionalProperties: false,
    })
  })

  it('tells bounds in words, where a decoder would refuse them', () => {
    expect(of(z.object({ score: z.number().min(0).max(10), tags: z.array(z.string().min(2)).max(3) }))).toMatchObject({
      properties: {
        score: { type: 'number', description: '(minimum: 0, maximum: 10)' },
        tags: { description: '(maxItems: 3)', items: { description: '(minLength: 2)' } },
      },
    })
  })

  it('follows references', () => {
    interface Tree {
      name: string
      children: Tree[]
    }
    const tree: z.ZodType<Tree> = z.object({ name: z.string().max(9), children: z.array(z.lazy(() => tree)) })
    const written = of(z.object({ tree }))
    expect(JSON.stringify(written)).toContain('"$ref"')
    expect(JSON.stringify(written)).not.toContain('"maxLength"')
  })

  it.each([
    ['a record', z.object({ byName: z.record(z.string(), z.number()) })],
    ['an open object', z.looseObject({ a: z.string() })],
    ['anything', z.object({ value: z.unknown() })],
    ['a tuple', z.object({ pair: z.tuple([z.string(), z.number()]) })],
  ])('is none for %s', (_, schema) => {
    expect(of(schema)).toBeUndefined()
  })
})

describe('requiresAll', () => {
  it('sees an optional property at any depth', () => {
    const required = z.object({ a: z.array(z.object({ b: z.string() })) })
    const optional = z.object({ a: z.array(z.object({ b: z.string().optional() })) })
    expect([required, optional].map(schema => requiresAll(z.toJSONSchema(schema)))).toEqual([true, false])
  })
})
