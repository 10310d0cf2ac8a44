/**
 * The JSON schema of an answer as constrained decoding takes it: types, properties, choices and references. What decoders
 * refuse (bounds, patterns, lengths) is told in the description instead; the answer is checked against the whole schema
 * afterwards, by whoever asked. What has no such form (a record of any keys, a tuple, a value of any kind) is told so.
 */
import { isRecord } from './dialect.ts'

type Schema = Record<string, unknown>

/** The schema in that form; undefined where it has none. */
export function decodable(schema: unknown): Schema | undefined {
  if (!isRecord(schema)) return undefined
  const { $schema: _, $defs, ...own } = schema
  const written = decodableNode(own)
  if (written === undefined || $defs === undefined) return written
  const defs = eachOf($defs, decodableNode)
  return defs === undefined ? undefined : { ...written, $defs: defs }
}

/** Whether every object names all its properties as required, as OpenAI's strict mode wants it. */
export function requiresAll(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(requiresAll)
  if (!isRecord(schema)) return true
  if (isRecord(schema.properties)) {
    const required = Array.isArray(schema.required) ? schema.required : []
    if (Object.keys(schema.properties).some(name => !required.includes(name))) return false
    if (!Object.values(schema.properties).every(requiresAll)) return false
  }
  const { properties: _, enum: __, const: ___, ...rest } = schema
  return Object.values(rest).every(requiresAll)
}

export const schemaInWords = (schema: unknown): string =>
  `Answer with one JSON value and nothing else. It must fit this JSON schema: ${JSON.stringify(withoutDialect(schema))}`

/** Servers that check schemas may refuse the line that names the version of JSON Schema. */
export function withoutDialect(schema: unknown): unknown {
  if (!isRecord(schema)) return schema
  const { $schema: _, ...rest } = schema
  return rest
}

const formats = new Set('date-time time date duration email hostname uri ipv4 ipv6 uuid'.split(' '))
const kept = new Set(['type', 'enum', 'const', '$ref', 'title'])

function decodableNode(schema: unknown): Schema | undefined {
  if (!isRecord(schema) || !isClosed(schema)) return undefined
  const written: Schema = {}
  const told: string[] = []
  for (const [name, value] of Object.entries(schema)) {
    if (kept.has(name) || (name === 'format' && formats.has(String(value)))) written[name] = value
    else if (!structural.has(name) && !saysNothing(name, value, schema)) told.push(`${name}: ${JSON.stringify(value)}`)
  }
  if (!addStructure(written, schema)) return undefined
  const description = [schema.description, told.length === 0 ? '' : `(${told.join(', ')})`].filter(Boolean).join(' ')
  return description === '' ? written : { ...written, description }
}

const structural = new Set(['anyOf', 'oneOf', 'allOf', 'properties', 'required', 'items', 'additionalProperties'])

/** Adds what holds other schemas; false where one of them has no form. */
function addStructure(written: Schema, schema: Schema): boolean {
  const { anyOf, oneOf, allOf, properties, required, items } = schema
  const choices = anyOf ?? oneOf
  const parts = { anyOf: choices, allOf }
  for (const [name, schemas] of Object.entries(parts)) {
    if (!Array.isArray(schemas)) continue
    const each = schemas.map(decodableNode)
    if (each.includes(undefined)) return false
    written[name] = each
  }
  if (isRecord(properties)) {
    const each = eachOf(properties, decodableNode)
    if (each === undefined) return false
    Object.assign(written, { properties: each, required: required ?? [], additionalProperties: false })
  }
  if (items === undefined) return true
  const each = decodableNode(items)
  if (each !== undefined) written.items = each
  return each !== undefined
}

/** A record of any keys, a tuple, or anything at all cannot be decoded by. */
function isClosed(schema: Schema): boolean {
  const { type, properties, items, additionalProperties } = schema
  const isObject = type === 'object' || properties !== undefined
  if (isObject && (!isRecord(properties) || (additionalProperties !== undefined && additionalProperties !== false))) {
    return false
  }
  if (type === 'array' && items === undefined) return false
  return ['type', 'enum', 'const', '$ref', 'anyOf', 'oneOf', 'allOf'].some(name => schema[name] !== undefined)
}

/** Bounds of what a number can hold at all, the pattern that a format already names, and notes of tools. */
function saysNothing(name: string, value: unknown, { format }: Schema): boolean {
  if (name === 'pattern') return formats.has(String(format))
  return name === 'description' || name === '$comment' || Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER
}

function eachOf(schemas: unknown, write: (schema: unknown) => Schema | undefined): Record<string, Schema> | undefined {
  if (!isRecord(schemas)) return undefined
  const entries = Object.entries(schemas).map(([name, schema]) => [name, write(schema)] as const)
  return entries.some(([, schema]) => schema === undefined)
    ? undefined
    : (Object.fromEntries(entries) as Record<string, Schema>)
}
