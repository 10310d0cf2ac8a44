/**
 * An answer of a simulated model: JSON data of the form that was asked for, by chance. It knows the part of JSON Schema
 * that zod writes for the forms people ask models for.
 */
import type { Random } from '../../time/random.ts'
import { fastCheckFor } from '../fast-check.ts'

interface Schema {
  /** Within the same schema: `#` or `#/$defs/name`. */
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly propertyNames?: Schema
  readonly pattern?: string
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

/** Samples of a pattern that are tried for one of the right length. */
const triesOfPattern = 50

interface Making {
  readonly random: Random
  /** Where what is referred to is found. */
  readonly root: Schema
}

export function answerOfSchema(schema: unknown, random: Random): unknown {
  const root = (schema ?? {}) as Schema
  return dataOf(root, { random, root }, 0)
}

function dataOf(form: Schema, making: Making, depth: number): unknown {
  const { random } = making
  if (form.$ref !== undefined) return dataOf(referredTo(form.$ref, making), making, depth)
  if ('const' in form) return form.const
  if (form.enum) return pick(form.enum, random)
  const union = form.anyOf ?? form.oneOf
  if (union) return dataOf(pick(union, random), making, depth)
  if (form.allOf?.some(({ pattern }) => pattern !== undefined)) return textOf(form, random)
  if (form.allOf) return Object.assign({}, ...form.allOf.map(part => dataOf(part, making, depth)))
  const type = Array.isArray(form.type) ? (form.type[0] as string) : form.type
  switch (type) {
    case 'object':
      return objectOf(form, making, depth)
    case 'array':
      return arrayOf(form, making, depth)
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

const referredTo = (reference: string, { root }: Making): Schema =>
  root.$defs?.[reference.replace('#/$defs/', '')] ?? root

/** A few words. */
export const sentence = (random: Random): string =>
  Array.from({ length: 3 + Math.floor(random() * 5) }, () => pick(words, random)).join(' ')

function objectOf(form: Schema, making: Making, depth: number): unknown {
  const { random } = making
  const { properties = {}, required = [], additionalProperties, propertyNames } = form
  const entries = Object.entries(properties).filter(
    ([key]) => required.includes(key) || (depth < deepest && random() < 0.7),
  )
  const made = entries.map(([key, value]) => [key, dataOf(value, making, depth + 1)])
  if (typeof additionalProperties !== 'object') return Object.fromEntries(made)
  // The keys of a record.
  for (const key of required) {
    if (!Object.hasOwn(properties, key)) made.push([key, dataOf(additionalProperties, making, depth + 1)])
  }
  if (made.length === 0 && depth < deepest) {
    const key = propertyNames ? String(dataOf(propertyNames, making, depth)) : pick(words, random)
    made.push([key, dataOf(additionalProperties, making, depth + 1)])
  }
  return Object.fromEntries(made)
}

function arrayOf(form: Schema, making: Making, depth: number): unknown[] {
  const { random } = making
  if (form.prefixItems) return form.prefixItems.map(item => dataOf(item, making, depth + 1))
  const least = form.minItems ?? 0
  const most = Math.max(least, Math.min(form.maxItems ?? least + 3, least + 3))
  const length = depth >= deepest ? least : least + Math.floor(random() * (most - least + 1))
  return Array.from({ length }, () => dataOf(form.items ?? {}, making, depth + 1))
}

function textOf(form: Schema, random: Random): string {
  const known = formats[form.format ?? '']
  if (known !== undefined) return known
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = form
  const patterns = [form, ...(form.allOf ?? [])].flatMap(({ pattern }) => pattern ?? [])
  if (patterns.length > 0) return textOfPatterns(patterns, minLength, maxLength, random)
  const text = sentence(random).padEnd(minLength, '.')
  return form.maxLength === undefined ? text : text.slice(0, form.maxLength)
}

/** One of each pattern, one after the other: a beginning and an end are two of them. */
function textOfPatterns(patterns: readonly string[], least: number, most: number, random: Random): string {
  const fc = fastCheckFor('simulate, for answers of a pattern,')
  const forms = patterns.map(pattern => new RegExp(pattern))
  const seed = Math.floor(random() * 2 ** 31)
  const made = fc.sample(fc.tuple(...forms.map(form => fc.stringMatching(form))), { numRuns: triesOfPattern, seed })
  const texts = made.map(parts => parts.join(''))
  const fits = (text: string): boolean =>
    text.length >= least && text.length <= most && forms.every(form => form.test(text))
  return texts.find(fits) ?? (texts[0] as string)
}

function numberOf(form: Schema, isWhole: boolean, random: Random): number {
  const step = form.multipleOf ?? (isWhole ? 1 : undefined)
  const highest =
    form.maximum ?? (form.exclusiveMaximum === undefined ? undefined : form.exclusiveMaximum - (step ?? 0.001))
  const lowest =
    form.minimum ?? (form.exclusiveMinimum === undefined ? undefined : form.exclusiveMinimum + (step ?? 0.001))
  const least = lowest ?? Math.min(0, highest ?? 0)
  const most = highest ?? Math.max(least, least + 100)
  const value = least + random() * (Math.min(most, Math.max(least, least + 1e6)) - least)
  if (step === undefined) return value
  const stepped = Math.round(value / step) * step
  return stepped < least ? stepped + step : stepped > most ? stepped - step : stepped
}

const pick = <T>(from: readonly T[], random: Random): T => from[Math.floor(random() * from.length)] as T
