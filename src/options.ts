/**
 * Options are parsed once, at the edge. An unknown key is refused by naming the nearest known one; an absent key and
 * `undefined` are the same.
 */
import type { z } from 'zod'
import { OptionsError } from './errors.ts'

/**
 * The parsed options.
 * @param schema a `z.strictObject`
 * @param where what the message calls them: `createRuntime options`, `stage 'collect'`
 * @throws OptionsError that names the place, what is wrong and, for an unknown key, the nearest known one
 */
export function parseOptions<TSchema extends z.ZodType>(
  schema: TSchema,
  value: unknown,
  where: string,
): z.output<TSchema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = tellingIssue(parsed.error)
  throw new OptionsError(`${where}: ${describeIssue(issue, schema)}`, { path: issue.path.map(String).join('.') })
}

/** The issue to tell: a key that nobody knows before the one that is missing, since it is that one misspelt. */
export const tellingIssue = ({ issues }: z.ZodError): z.core.$ZodIssue =>
  issues.find(({ code }) => code === 'unrecognized_keys') ?? (issues[0] as z.core.$ZodIssue)

/** One issue of zod as a sentence part: where and what. */
export function describeIssue(issue: z.core.$ZodIssue, schema?: z.ZodType): string {
  const place = issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : ''
  if (issue.code === 'unrecognized_keys') {
    const key = String(issue.keys[0])
    const known = schema === undefined ? [] : knownKeys(schema, issue.path)
    return `${place}unknown option '${key}'${suggestion(key, known)}`
  }
  // What is wrong with a key is said inside of the issue.
  const inner = issue.code === 'invalid_key' ? issue.issues[0] : undefined
  return `${place}${inWords((inner ?? issue).message)}`
}

/** What zod says by itself, as one would say it to a person; a schema's own words stay. */
function inWords(message: string): string {
  const [, expected, received] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? []
  if (received === 'undefined') return `is missing; it must be ${withArticle(expected)}`
  if (expected !== undefined) return `must be ${withArticle(expected)}, and is ${withArticle(received)}`
  const [, bound, least] = /^Too (?:small|big): expected \w+ to (?:be|have) ([<>]=?) ?(.+)$/.exec(message) ?? []
  if (least === undefined) return message
  const counted = / characters?$| items?$/.test(least)
  if (counted && bound === '>=' && least.startsWith('1 ')) return 'must not be empty'
  const limits: Readonly<Record<string, string>> = {
    '>=': 'at least',
    '<=': 'at most',
    '>': 'more than',
    '<': 'less than',
  }
  return `must ${counted ? 'have' : 'be'} ${limits[bound as string]} ${least}`
}

const withArticle = (type = ''): string =>
  type === 'undefined' || type === 'null' || type === 'NaN' ? type : `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`

/** `; did you mean 'x'?`, or the known names where none is near, or nothing where none is known. */
export function suggestion(name: string, known: readonly string[]): string {
  const nearest = known
    .map(candidate => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]
  if (!nearest) return ''
  if (nearest.distance <= Math.max(2, Math.floor(name.length / 3))) return `; did you mean '${nearest.candidate}'?`
  return `; known are ${known.slice(0, 30).join(', ')}; nearest is '${nearest.candidate}'`
}

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema
  for (const part of [...path, undefined]) {
    const element = typeof part === 'number' ? elementOf(current) : undefined
    if (element !== undefined) {
      current = element
      continue
    }
    while (current !== null && typeof current === 'object' && !('shape' in current)) {
      const inner = (current as { def?: { innerType?: unknown; in?: unknown; options?: unknown[] } }).def
      current =
        inner?.innerType ??
        inner?.in ??
        inner?.options?.find(option => option !== null && typeof option === 'object' && 'shape' in option)
      if (current === undefined) return []
    }
    if (current === null || typeof current !== 'object') return []
    const shape = (current as { shape: Record<string, unknown> }).shape
    if (part === undefined) return Object.keys(shape)
    current = shape[String(part)]
  }
  return []
}

/** What a list is made of. */
const elementOf = (schema: unknown): unknown => (schema as { def?: { element?: unknown } } | null)?.def?.element

/** Levenshtein's distance with a swap of neighbours as one step. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min((last[j] as number) + 1, (current[j - 1] as number) + 1, replaced)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] as number) + 1)
      }
      current.push(best)
    }
    beforeLast = last
    last = current
  }
  return last[b.length] as number
}

/** @throws OptionsError unless it can be called */
export function checkFunction(value: unknown, what: string): void {
  if (typeof value !== 'function') throw new OptionsError(`${what} must be a function`)
}
