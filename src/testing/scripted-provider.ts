/**
 * A provider that answers from a script, for tests: one entry a call, in order. An entry is an answer, a failure as it
 * would come over the wire or be thrown, or a function of the request that gives one of them. Delays run on an injected
 * clock, and every request is kept. A stream gives the same answer word by word.
 */
import { z } from 'zod'
import { OptionsError, ProviderError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { CallContext, Model, ModelAnswer, ModelRequest, Provider, Tier, Usage } from '../providers/provider.ts'
import type { WireFailure } from '../resilience/failure-evidence.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'

/** What is answered: a text, or its parts. A cost that is left out is unknown. */
export type ScriptedAnswer =
  | string
  | {
      readonly text?: string | undefined
      readonly object?: unknown
      readonly toolCalls?: readonly { readonly id?: string; readonly name: string; readonly input?: unknown }[]
      readonly usage?: Usage | undefined
      /** USD. */
      readonly cost?: number | undefined
      readonly finishReason?: string | undefined
      /** How long the call takes. */
      readonly delay?: Duration | undefined
    }

/** What fails: an error to be thrown, or a failure as it came over the wire. */
export type ScriptedFailure = Error | (Partial<WireFailure> & { readonly delay?: Duration | undefined })

export type ScriptedReply = ScriptedAnswer | ScriptedFailure
export type ScriptEntry =
  | ScriptedReply
  | ((request: ModelRequest, context: CallContext) => ScriptedReply | Promise<ScriptedReply>)

export interface ScriptedProviderOptions {
  /** @default 'scripted' */
  readonly id?: string | undefined
  /** For `delay`. @default the system clock */
  readonly clock?: Clock | undefined
  /** Makes it a provider of one model of this tier. @default it serves whatever tier is asked */
  readonly tier?: Tier | undefined
  /** Its models, instead of `tier`. */
  readonly models?: readonly Model[] | undefined
  /** Starts again from the first entry when the script has ended. @default false */
  readonly loop?: boolean | undefined
}

const tier = z.enum(['cheap', 'capable', 'premium'])
const scriptedProviderOptions = z.strictObject({
  id: z.string().min(1).optional(),
  clock: z.custom<Clock>(isClock, { error: 'must be a clock, with now(), setTimeout(), clearTimeout()' }).optional(),
  tier: tier.optional(),
  models: z.array(z.looseObject({ id: z.string().min(1), tier })).optional(),
  loop: z.boolean().optional(),
})

function isClock(value: unknown): boolean {
  const clock = Object(value) as Record<string, unknown>
  return ['now', 'setTimeout', 'clearTimeout'].every(method => typeof clock[method] === 'function')
}

export interface ScriptedCall {
  readonly request: ModelRequest
  readonly context: CallContext
}

export interface ScriptedProvider extends Provider {
  /** What it was asked, in order. */
  readonly calls: readonly ScriptedCall[]
}

/**
 * A provider that follows a script. Past its end a call fails and says which call it was.
 * @throws OptionsError when the script is no array, or for an option that it does not know
 */
export function scriptedProvider(
  script: readonly ScriptEntry[],
  options: ScriptedProviderOptions = {},
): ScriptedProvider {
  if (!Array.isArray(script)) throw new OptionsError('scriptedProvider: the script must be an array of entries')
  const {
    id = 'scripted',
    clock = systemClock,
    tier,
    models = tier === undefined ? [] : [{ id, tier }],
    loop = false,
  } = parseOptions(scriptedProviderOptions, options, 'scriptedProvider options')
  const calls: ScriptedCall[] = []
  const next = async (request: ModelRequest, context: CallContext): Promise<ModelAnswer> => {
    calls.push({ request, context })
    const number = calls.length
    const place = loop && script.length > 0 ? (number - 1) % script.length : number - 1
    if (place >= script.length) throw scriptEnded(id, number, script.length)
    const entry = script[place] as ScriptEntry
    const reply = typeof entry === 'function' ? await entry(request, context) : entry
    await delayed(reply, clock, context)
    if (isFailure(reply)) throw reply
    return answerOf(reply, number)
  }
  return {
    id,
    models,
    calls,
    tellsCost: script.some(entry => typeof entry === 'function' || (typeof entry === 'object' && 'cost' in entry)),
    generate: next,
    async *stream(request, context) {
      const answer = await next(request, context)
      for (const text of answer.text.match(/\s*\S+\s*$|\s*\S+/g) ?? []) yield { type: 'text', text }
      for (const call of answer.toolCalls ?? []) yield { type: 'tool-call', ...call }
      yield { type: 'end', answer }
    },
  }
}

const scriptEnded = (id: string, number: number, length: number): ProviderError =>
  new ProviderError(`the script of '${id}' has no answer for call ${number}: it has ${length}`, {
    kind: 'invalid_request',
  })

const isFailure = (reply: ScriptedReply): reply is ScriptedFailure =>
  reply instanceof Error || (typeof reply === 'object' && reply !== null && ('status' in reply || 'network' in reply))

function answerOf(answer: ScriptedAnswer, number: number): ModelAnswer {
  if (typeof answer === 'string') return { text: answer, finishReason: 'stop' }
  const { delay: _, text, object, toolCalls, ...rest } = answer
  const calls = toolCalls?.map((call, index) => ({
    id: call.id ?? `call-${number}-${index + 1}`,
    name: call.name,
    input: call.input ?? {},
  }))
  return {
    finishReason: calls ? 'tool-calls' : 'stop',
    ...rest,
    text: text ?? (object === undefined ? '' : JSON.stringify(object)),
    ...(object === undefined ? {} : { object }),
    ...(calls ? { toolCalls: calls } : {}),
  }
}

async function delayed(reply: ScriptedReply, clock: Clock, context: CallContext): Promise<void> {
  if (typeof reply !== 'object' || !('delay' in reply) || reply.delay === undefined) return
  const delayMs = toMs(reply.delay, 'delay')
  const { signal } = context
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clock.clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = clock.setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, delayMs)
    signal.addEventListener('abort', stop, { once: true })
  })
}
