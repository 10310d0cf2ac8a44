/** An answer as a stage is given it: its object by the schema, its tool calls, its check; and what is asked to mend it. */
import type { z } from 'zod'
import { OptionsError, ProviderError } from '../../errors.ts'
import type { Message, ModelAnswer, ModelRequest, Tier } from '../../providers/provider.ts'
import type { GenerateResult } from '../../workflow/stage-context.ts'
import { parsedBy } from '../stage/checked-value.ts'
import type { CallOptions } from './call-request.ts'

/** What the ledger keeps of an answer. */
export interface RecordedAnswer {
  readonly answer: ModelAnswer
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  readonly attempts: number
  readonly degraded: boolean
  /** Absent in what older versions wrote: then it is the answer's own. */
  readonly cost?: number | 'unknown' | undefined
  readonly cached?: boolean | undefined
}

/** @throws ProviderError `invalid_response` where it is not what the schema or a tool's input asks for */
export function resultOf(recorded: RecordedAnswer, options: CallOptions, stage: string): GenerateResult<unknown> {
  const { answer, provider, model, tier, attempts, degraded, cost, cached = false } = recorded
  const text = answer.text
  const toolCalls = answer.toolCalls ?? []
  // A model that calls a tool has not answered yet.
  const object = options.schema && toolCalls.length === 0 ? objectOf(answer, options.schema, stage) : undefined
  return {
    text,
    object,
    toolCalls,
    message: {
      role: 'assistant',
      content: [
        ...(text === '' ? [] : [{ type: 'text', text } as const]),
        ...toolCalls.map(
          call => ({ type: 'tool-call', toolCallId: call.id, toolName: call.name, input: call.input }) as const,
        ),
      ],
    },
    finishReason: answer.finishReason ?? 'stop',
    usage: answer.usage ?? { inputTokens: 0, outputTokens: 0 },
    cost: cost ?? answer.cost ?? 'unknown',
    provider,
    model,
    tier,
    cached,
    degraded,
    attempts,
  }
}

/** @throws ProviderError `invalid_response` where a tool is called that is not there, or with something else */
export function checkToolCalls({ toolCalls = [] }: ModelAnswer, { tools }: CallOptions, stage: string): void {
  for (const { name, input } of toolCalls) {
    const tool = tools !== undefined && Object.hasOwn(tools, name) ? tools[name] : undefined
    if (tool === undefined) throw invalid(`the answer to stage '${stage}' calls the tool '${name}', which there is not`)
    const parsed = parsedBy(tool.input, input, `the input of the tool '${name}' in the answer to stage '${stage}'`)
    if (!parsed.success) {
      throw invalid(
        `the answer to stage '${stage}' calls the tool '${name}' with ${issueOf(parsed.error)}`,
        parsed.error,
      )
    }
  }
}

/** @throws ProviderError `invalid_response` with what the check said; what the check throws */
export function checkAnswer(result: GenerateResult<unknown>, options: CallOptions, stage: string): void {
  const verdict = options.check?.(result)
  if (verdict === undefined || verdict === true) return
  if (typeof (verdict as { then?: unknown } | null)?.then === 'function') {
    throw new OptionsError(`\`check\` of a model call of stage '${stage}' returned a promise; it must be synchronous`, {
      stage,
    })
  }
  const said = typeof verdict === 'string' ? `: ${verdict}` : ''
  throw invalid(`the answer to stage '${stage}' did not pass its check${said}`, undefined, { byCheck: true })
}

/** Whether asking once more, with what was wrong, could mend it: its form is wrong, and not what it says. */
export const isOfWrongForm = (error: unknown): error is ProviderError =>
  error instanceof ProviderError && error.details.kind === 'invalid_response' && error.details.byCheck !== true

/** The request again, with the answer that was none and what was wrong with it. */
export function mendingRequest(request: ModelRequest, answer: ModelAnswer, problem: string): ModelRequest {
  const said: Message[] = answer.text === '' ? [] : [{ role: 'assistant', content: answer.text }]
  const ask =
    `That answer cannot be used: ${problem}. ` +
    'Answer again, with nothing but the JSON that was asked for, in the form that was asked for.'
  return { ...request, messages: [...request.messages, ...said, { role: 'user', content: ask }] }
}

/** The object of an answer, checked. A model may put its JSON into a fenced block. */
function objectOf(answer: ModelAnswer, schema: z.ZodType, stage: string): unknown {
  let value = answer.object
  if (value === undefined) {
    const text = /```(?:json)?\s*([\s\S]*?)```/.exec(answer.text)?.[1] ?? answer.text
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw invalid(`the answer to stage '${stage}' is no JSON`, cause)
    }
  }
  const parsed = parsedBy(schema, value, `the answer to stage '${stage}'`)
  if (parsed.success) return parsed.data
  throw invalid(
    `the answer to stage '${stage}' is not of the form that was asked for: ${issueOf(parsed.error)}`,
    parsed.error,
  )
}

function issueOf({ issues: [issue] }: z.ZodError): string {
  const path = issue?.path.map(String).join('.') ?? ''
  return `${path ? `${path}: ` : ''}${issue?.message ?? ''}`
}

const invalid = (message: string, cause?: unknown, more: object = {}): ProviderError =>
  new ProviderError(
    message,
    { kind: 'invalid_response', transient: true, scope: 'model', ...more },
    cause === undefined ? {} : { cause },
  )
