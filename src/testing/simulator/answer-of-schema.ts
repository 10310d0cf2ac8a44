/**
 * An answer of a simulated model: JSON data of the form that was asked for, by chance. It knows the part of JSON Schema
 * that zod writes for the forms people ask models for.
 */
import type { Random } from '../../time/random.ts'

interface Schema {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly format?: string
  readonly default?: unknown
}

const words = ['kelp', 'rock', 'storm', 'tide', 'anchor', 'drift', 'swell', 'reef']
const formats: Readonly<Record<string, string>> = {
  email: 'ann@example.org',
  uri: 'https://example.org/a',
  uuid: '3f0b3f0e-58c7-4d7e-9b0e-0d3a0d5e6a11',
  'date-time': '2026-01-01T00:00:00.000Z',
  date: '2026-01-01',
  time: '00:00:00',
}
const deepest = 6

export function answerOfSchema(schema: unknown, random: Random, depth = 0): unknown {
  const form = (schema ?? {}) as Schema
  if ('const' in form) return form.const
  if (form.enum) return pick(form.enum, random)
  const union = form.anyOf ?? form.oneOf
  if (union) return answerOfSchema(pick(union, random), random, depth)
  if (form.allOf) return Object.assign({}, ...form.allOf.map(part => answerOfSchema(part, random, depth)))
  const type = Array.isArray(form.type) ? (form.type[0] as string) : form.type
  switch (type) {
    case 'object':
      return objectOf(form, random, depth)
    case 'array':
      return arrayOf(form, random, depth)
    case 'string':
      return textOf(form, random)
    case 'integer':
    case 'number':
      return numberOf(form, type === 'integer', random)
    case 'boolean':
      return random() < 0.5
    case 'null':
      return null
    default:
      return sentence(random)
  }
}

/** A few words. */
export const sentence = (random: Random): string =>
  Array.from({ length: 3 + Math.floor(random() * 5) }, () => pick(words, random)).join(' ')

function objectOf(form: Schema, random: Random, depth: number): unknown {
  const entries = Object.entries(form.properties ?? {}).filter(
    ([key]) => form.required?.includes(key) || (depth < deepest && random() < 0.7),
  )
  const made = entries.map(([key, value]) => [key, answerOfSchema(value, random, depth + 1)])
  if (made.length === 0 && typeof form.additionalProperties === 'object' && depth < deepest) {
    made.push([pick(words, random), answerOfSchema(form.additionalProperties, random, depth + 1)])
  }
  return Object.fromEntries(made)
}

function arrayOf(form: Schema, random: Random, depth: number): unknown[] {
  if (form.prefixItems) return form.prefixItems.map(item => answerOfSchema(item, random, depth + 1))
  const least = form.minItems ?? 0
  const most = Math.max(least, Math.min(form.maxItems ?? least + 3, least + 3))
  const length = depth >= deepest ? least : least + Math.floor(random() * (most - least + 1))
  return Array.from({ length }, () => answerOfSchema(form.items, random, depth + 1))
}

function textOf(form: Schema, random: Random): string {
  const known = formats[form.format ?? '']
  if (known !== undefined) return known
  const text = sentence(random).padEnd(form.minLength ?? 0, '.')
  return form.maxLength === undefined ? text : text.slice(0, form.maxLength)
}

function numberOf(form: Schema, isWhole: boolean, random: Random): number {
  const step = form.multipleOf ?? (isWhole ? 1 : undefined)
  const least = form.minimum ?? (form.exclusiveMinimum === undefined ? 0 : form.exclusiveMinimum + (step ?? 0.001))
  const usual = Math.max(least, least + 100)
  const most = form.maximum ?? (form.exclusiveMaximum === undefined ? usual : form.exclusiveMaximum - (step ?? 0.001))
  const low = Math.max(least, Math.min(least, most))
  const value = low + random() * (Math.min(most, Math.max(low, low + 1e6)) - low)
  if (step === undefined) return value
  const stepped = Math.round(value / step) * step
  return stepped < low ? stepped + step : stepped > most ? stepped - step : stepped
}

const pick = <T>(from: readonly T[], random: Random): T => from[Math.floor(random() * from.length)] as T
