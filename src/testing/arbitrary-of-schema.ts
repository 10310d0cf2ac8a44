/**
 * Derives a fast-check arbitrary from a zod 4 schema: what it makes, the schema accepts. Checks that have no generator of
 * their own (a refinement, a pattern) filter what is made; where next to nothing passes, or where a form says nothing
 * about its values (a custom check, a transform's source that is unknown), the error names the place and the mend.
 */
import type { Arbitrary } from 'fast-check'
import type { ZodType } from 'zod'
import { OptionsError } from '../errors.ts'
import { type FastCheck, fastCheckFor } from './fast-check.ts'

/** What of a zod definition is read here; which keys are there depends on `type`. */
interface Definition {
  readonly type: string
  readonly checks?: readonly { readonly _zod: { readonly def: Check } }[]
  readonly format?: string
  readonly pattern?: RegExp
  readonly shape?: Readonly<Record<string, ZodType>>
  readonly element?: ZodType
  readonly options?: readonly ZodType[]
  readonly items?: readonly ZodType[]
  readonly rest?: ZodType | null
  readonly innerType?: ZodType
  readonly keyType?: ZodType
  readonly valueType?: ZodType
  readonly entries?: Readonly<Record<string, string | number>>
  readonly values?: readonly unknown[]
  readonly in?: ZodType
  readonly left?: ZodType
  readonly right?: ZodType
  readonly getter?: () => ZodType
  readonly catchall?: ZodType
}

interface Check {
  readonly check: string
  readonly format?: string
  readonly pattern?: RegExp
  readonly value?: number | bigint | Date
  readonly inclusive?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly length?: number
  readonly includes?: string
  readonly prefix?: string
  readonly suffix?: string
}

/** How deep a schema that contains itself is followed. */
const deepest = 4
/** Samples of which at least one must pass the schema's own checks. */
const tries = 200

/**
 * @param place how the schema is called in a message: `events.PAY`
 * @throws OptionsError where nothing can be derived, with the place
 */
export function arbitraryOfSchema(schema: ZodType, place: string): Arbitrary<unknown> {
  return new Derivation(fastCheckFor(place)).of(schema, place, 0)
}

class Derivation {
  readonly #fc: FastCheck

  constructor(fc: FastCheck) {
    this.#fc = fc
  }

  of(schema: ZodType, place: string, depth: number): Arbitrary<unknown> {
    const definition = (schema as unknown as { _zod?: { def?: Definition } })?._zod?.def
    if (!definition) throw underivable(place, 'is no zod 4 schema')
    const made = this.#plain(definition, place, depth)
    return needsFilter(definition) ? this.#passing(made, schema, place) : made
  }

  #plain(definition: Definition, place: string, depth: number): Arbitrary<unknown> {
    const fc = this.#fc
    const inner = (): Arbitrary<unknown> => this.of(definition.innerType as ZodType, place, depth)
    switch (definition.type) {
      case 'string':
        return this.#text(definition)
      case 'number':
        return this.#number(definition)
      case 'int':
        return fc.maxSafeInteger()
      case 'bigint':
        return fc.bigInt(boundsOf(definition, BigInt(-(2 ** 40)), BigInt(2 ** 40)))
      case 'boolean':
        return fc.boolean()
      case 'date':
        return this.#date(definition)
      case 'literal':
        return fc.constantFrom(...(definition.values ?? []))
      case 'enum':
        return fc.constantFrom(...Object.values(definition.entries ?? {}))
      case 'null':
        return fc.constant(null)
      case 'undefined':
      case 'void':
        return fc.constant(undefined)
      case 'any':
      case 'unknown':
        return fc.jsonValue()
      case 'optional':
        return fc.option(inner(), { nil: undefined })
      case 'nullable':
        return fc.option(inner(), { nil: null })
      case 'default':
      case 'prefault':
      case 'catch':
      case 'readonly':
      case 'nonoptional':
        return inner()
      case 'array':
      case 'set':
        return this.#list(definition, place, depth)
      case 'object':
        return this.#object(definition, place, depth)
      default:
        return this.#composed(definition, place, depth)
    }
  }

  #composed(definition: Definition, place: string, depth: number): Arbitrary<unknown> {
    const fc = this.#fc
    switch (definition.type) {
      case 'tuple': {
        const items = (definition.items ?? []).map((item, index) => this.of(item, `${place}[${index}]`, depth))
        return fc.tuple(...items)
      }
      case 'union': {
        const options = definition.options ?? []
        // Of a form that contains itself, only what ends is left at the bottom.
        const left = depth < deepest ? options : options.filter(option => !containsLazy(option))
        return fc.oneof(...(left.length > 0 ? left : options).map(option => this.of(option, place, depth)))
      }
      case 'record': {
        const value = this.of(definition.valueType as ZodType, `${place}[key]`, depth + 1)
        const key = this.of(definition.keyType as ZodType, `key of ${place}`, depth) as Arbitrary<string>
        const names = (definition.keyType as unknown as { _zod: { def: Definition } })._zod.def.entries
        if (!names) return fc.dictionary(key, value, { maxKeys: 4 })
        return fc.record(Object.fromEntries(Object.values(names).map(name => [String(name), value])))
      }
      case 'map':
        return fc
          .array(
            fc.tuple(
              this.of(definition.keyType as ZodType, `key of ${place}`, depth),
              this.of(definition.valueType as ZodType, `${place}[key]`, depth + 1),
            ),
            { maxLength: 4 },
          )
          .map(entries => new Map(entries))
      case 'intersection':
        return fc
          .tuple(this.of(definition.left as ZodType, place, depth), this.of(definition.right as ZodType, place, depth))
          .map(([left, right]) => ({ ...(left as object), ...(right as object) }))
      case 'lazy': {
        if (depth > deepest + 2) throw underivable(place, 'contains itself without an end')
        return this.of((definition.getter as () => ZodType)(), place, depth + 1)
      }
      case 'pipe':
        return this.of(definition.in as ZodType, place, depth)
      default:
        throw underivable(place, `is a z.${definition.type}(), of which no values can be derived`)
    }
  }

  #text(definition: Definition): Arbitrary<string> {
    const fc = this.#fc
    const checks = checksOf(definition)
    const formats = [definition.format, ...checks.map(check => check.format)]
    for (const format of formats) {
      if (format === 'email') return fc.constantFrom('ann@example.org', 'bo.li@example.com', 'c+d@mail.example')
      if (format === 'url') return fc.webUrl()
      if (format === 'uuid' || format === 'guid') return fc.uuid({ version: 4 })
      if (format === 'ulid') return fc.ulid()
      if (format === 'ipv4') return fc.ipV4()
      if (format === 'ipv6') return fc.ipV6()
      if (format === 'datetime') return fc.date(sensibleDates).map(date => date.toISOString())
      if (format === 'date') return fc.date(sensibleDates).map(date => date.toISOString().slice(0, 10))
      if (format === 'base64') return fc.base64String()
    }
    const pattern = [definition.pattern, ...checks.map(check => check.pattern)].find(one => one !== undefined)
    const affixes = checks.filter(check => check.includes ?? check.prefix ?? check.suffix)
    const lengths = lengthsOf(definition, 12)
    if (affixes.length > 0) {
      const part = (name: 'prefix' | 'includes' | 'suffix'): string => checks.map(check => check[name] ?? '').join('')
      return fc.string({ maxLength: 6 }).map(text => part('prefix') + text + part('includes') + part('suffix'))
    }
    if (pattern) return fc.stringMatching(pattern)
    return fc.string(lengths)
  }

  #number(definition: Definition): Arbitrary<number> {
    const fc = this.#fc
    const checks = checksOf(definition)
    const isWhole = [definition.format, ...checks.map(check => check.format)].some(format => /int/.test(format ?? ''))
    const step = checks.find(check => check.check === 'multiple_of')?.value as number | undefined
    const { min, max } = boundsOf(definition, isWhole ? -(2 ** 31) : -1e9, isWhole ? 2 ** 31 - 1 : 1e9)
    if (step !== undefined)
      return fc.integer({ min: Math.ceil(min / step), max: Math.floor(max / step) }).map(n => n * step)
    const whole = { min: Math.ceil(min), max: Math.floor(max) }
    if (isWhole) return fc.integer(whole)
    const real = fc.double({ min, max, noNaN: true })
    return whole.min > whole.max ? real : fc.oneof({ weight: 2, arbitrary: fc.integer(whole) }, real)
  }

  #date(definition: Definition): Arbitrary<Date> {
    const bound = (name: string): Date | undefined =>
      checksOf(definition).find(check => check.check === name)?.value as Date | undefined
    return this.#fc.date({
      min: bound('greater_than') ?? sensibleDates.min,
      max: bound('less_than') ?? sensibleDates.max,
      noInvalidDate: true,
    })
  }

  #list(definition: Definition, place: string, depth: number): Arbitrary<unknown> {
    const element = (definition.element ?? definition.valueType) as ZodType
    if (depth >= deepest && containsLazy(element)) return this.#fc.constant([])
    const lengths = lengthsOf(definition, 5)
    const items = this.of(element, `${place}[]`, depth + 1)
    return definition.type === 'set'
      ? this.#fc.uniqueArray(items, lengths).map(values => new Set(values))
      : this.#fc.array(items, lengths)
  }

  #object(definition: Definition, place: string, depth: number): Arbitrary<unknown> {
    const model: Record<string, Arbitrary<unknown>> = {}
    const required: string[] = []
    for (const [key, value] of Object.entries(definition.shape ?? {})) {
      const { def, optin } = (value as unknown as { _zod: { def: Definition; optin?: string } })._zod
      const isOptional = optin === 'optional'
      if (depth >= deepest && isOptional) continue
      const inner = def.type === 'optional' ? (def.innerType as ZodType) : value
      model[key] = this.of(inner, `${place}.${key}`, depth + 1)
      if (!isOptional) required.push(key)
    }
    return this.#fc.record(model, { requiredKeys: required, noNullPrototype: true })
  }

  /** Only what the schema itself accepts, if it accepts any. */
  #passing(made: Arbitrary<unknown>, schema: ZodType, place: string): Arbitrary<unknown> {
    const isAccepted = (value: unknown): boolean => schema.safeParse(value).success
    if (!this.#fc.sample(made, { numRuns: tries, seed: 1 }).some(isAccepted)) {
      throw underivable(place, 'has a check that none of the values that were tried passes')
    }
    return made.filter(isAccepted)
  }
}

const sensibleDates = {
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('2099-12-31T00:00:00Z'),
  noInvalidDate: true,
}

const checksOf = (definition: Definition): readonly Check[] => (definition.checks ?? []).map(check => check._zod.def)

/** Whether what is made must be tried against the schema: it has checks, or one inside it may be of any kind. */
const needsFilter = (definition: Definition): boolean =>
  (definition.checks?.length ?? 0) > 0 || definition.format !== undefined || definition.type === 'intersection'

function boundsOf<T extends number | bigint>(definition: Definition, least: T, most: T): { min: T; max: T } {
  let min: T | undefined
  let max: T | undefined
  for (const { check, value } of checksOf(definition)) {
    if (check === 'greater_than') min = min === undefined || (value as T) > min ? (value as T) : min
    if (check === 'less_than') max = max === undefined || (value as T) < max ? (value as T) : max
  }
  // A bound beyond the usual range takes the other end along.
  const low = min ?? (max !== undefined && max < least ? max : least)
  return { min: low, max: max ?? (low > most ? low : most) }
}

function lengthsOf(definition: Definition, usual: number): { minLength: number; maxLength: number } {
  let minLength = 0
  let maxLength: number | undefined
  for (const { check, minimum, maximum, length } of checksOf(definition)) {
    if (/^min_(length|size)$/.test(check)) minLength = Math.max(minLength, minimum ?? 0)
    if (/^max_(length|size)$/.test(check)) maxLength = Math.min(maxLength ?? Number.POSITIVE_INFINITY, maximum ?? 0)
    if (/^(length|size)_equals$/.test(check)) minLength = maxLength = length ?? 0
  }
  return { minLength, maxLength: Math.max(minLength, Math.min(maxLength ?? minLength + usual, minLength + 1000)) }
}

const containsLazy = (schema: ZodType): boolean => {
  const { type, innerType, element } = (schema as unknown as { _zod: { def: Definition } })._zod.def
  if (type === 'lazy' || type === 'object') return true
  return [innerType, element].some(inner => inner !== undefined && containsLazy(inner))
}

const underivable = (place: string, why: string): OptionsError =>
  new OptionsError(
    `${place} ${why}; give a fast-check arbitrary in its place, such as fc.record({ … }) or fc.constantFrom(…)`,
    { place },
  )
