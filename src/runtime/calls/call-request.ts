/** What a stage asks of a model: its options, checked, and the request that they make. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import type { Message, ModelRequest } from '../../providers/provider.ts'
import { capabilityNames } from '../../resilience/request-needs.ts'
import type { GenerateOptions } from '../../workflow/stage-context.ts'

const aSchema = z.custom<z.ZodType>(
  value => typeof (value as { safeParse?: unknown } | null | undefined)?.safeParse === 'function',
  { error: 'must be a zod schema' },
)

const optionsSchema = z.strictObject({
  prompt: z.string().optional(),
  messages: z
    .array(z.custom<Message>(value => value !== null && typeof value === 'object' && 'role' in value))
    .optional(),
  system: z.string().optional(),
  schema: aSchema.optional(),
  tools: z.record(z.string(), z.strictObject({ description: z.string(), input: aSchema })).optional(),
  check: z
    .custom<NonNullable<GenerateOptions['check']>>(value => typeof value === 'function', {
      error: 'must be a function',
    })
    .optional(),
  key: z.string().min(1).optional(),
  maxOutputTokens: z.int().min(1).optional(),
  temperature: z.number().optional(),
  tier: z.enum(['cheap', 'capable', 'premium']).optional(),
  capabilities: z.array(z.enum(capabilityNames)).optional(),
})

export type CallOptions = z.output<typeof optionsSchema>

/** @throws OptionsError that names the stage and the option */
export function parseCallOptions(given: GenerateOptions, where: string): CallOptions {
  return parseOptions(optionsSchema, given, where)
}

/** @throws OptionsError where there is neither a prompt nor messages, or both */
export function requestOf(options: CallOptions, task: string, stage: string, where: string): ModelRequest {
  if ((options.prompt === undefined) === (options.messages === undefined)) {
    throw new OptionsError(`${where}: give either prompt or messages`, { stage })
  }
  const messages: Message[] = [
    ...(options.system === undefined ? [] : [{ role: 'system', content: options.system } as const]),
    ...(options.messages ?? [{ role: 'user', content: options.prompt as string } as const]),
  ]
  const tools =
    options.tools &&
    Object.fromEntries(
      Object.entries(options.tools).map(([name, tool]) => [
        name,
        { description: tool.description, schema: told(tool.input, `${where}: tools.${name}.input`) },
      ]),
    )
  return {
    task,
    messages,
    ...(options.tier === undefined ? {} : { tier: options.tier }),
    ...(options.schema === undefined ? {} : { schema: told(options.schema, `${where}: schema`) }),
    ...(tools === undefined ? {} : { tools }),
    ...(options.maxOutputTokens === undefined ? {} : { maxOutputTokens: options.maxOutputTokens }),
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  }
}

/**
 * The schema as a model is told it: of what it gives, or where that has no form in JSON, since it is made of the answer,
 * of what it takes.
 * @throws OptionsError where neither has
 */
function told(schema: z.ZodType, where: string): object {
  let refusal: unknown
  for (const io of ['output', 'input'] as const) {
    try {
      return z.toJSONSchema(schema, { io })
    } catch (error) {
      refusal ??= error
    }
  }
  throw new OptionsError(
    `${where}: a model cannot be told of it: ${refusal instanceof Error ? refusal.message : String(refusal)}; ask for what JSON has, such as a text, and make of the answer what you need`,
    {},
    { cause: refusal },
  )
}

/** Equal requests have equal hashes: a call is recognised by what it asks. */
export const hashOf = (request: ModelRequest): string =>
  createHash('sha256').update(JSON.stringify(request)).digest('hex').slice(0, 16)
