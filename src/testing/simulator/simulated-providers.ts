/**
 * The providers of a simulation: two, with a model of each tier. They take their time, by a long-tailed distribution, and
 * under faults they fail as real ones do: limits, overload, outages that last, connections that break, calls that hang,
 * answers of the wrong form.
 */
import type { CallContext, ModelAnswer, ModelRequest, Provider } from '../../providers/provider.ts'
import type { Random } from '../../time/random.ts'
import { answerOfSchema, sentence } from './answer-of-schema.ts'
import { outageFailure, providerFailures, restMs, weighted } from './provider-failures.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** What the user says that a model answers: a text, or the object of the schema that was asked for. */
export type Answers = (request: ModelRequest, random: Random) => unknown

export interface ProvidersOptions {
  readonly time: SimulatedTime
  readonly random: Random
  readonly answers: Answers | undefined
  /** The rate of faults at the moment, 0 to 1. */
  readonly rate: () => number
  /** Told of each request that reaches a provider; false where nobody is left to be answered. */
  readonly asked: (context: CallContext) => boolean
  readonly failed: (what: string) => void
  /** Told of each answer that is paid for, in USD. */
  readonly charged: (idempotencyKey: string, usd: number) => void
  /** Told where somebody asks again before the time that he was asked to wait. */
  readonly askedTooSoon: (idempotencyKey: string, byMs: number) => void
}

/** What an answer of theirs costs, 1/1024 and 4/1024 USD a token, for a million. */
const price = { inputUsdPerMTok: 1_000_000 / 1024, outputUsdPerMTok: 4_000_000 / 1024 }

export function simulatedProviders(options: ProvidersOptions): readonly Provider[] {
  const rests: Rests = new Map()
  return ['one', 'two'].map(id => providerOf(id, rests, options))
}

/** Of each call: who asked it last to wait, and until when. */
type Rests = Map<string, { readonly provider: string; readonly until: number }>

function providerOf(id: string, rests: Rests, options: ProvidersOptions): Provider {
  const { time, random, rate, asked, failed } = options
  const began = time.now
  const outage = { from: began + random() * 600_000, forMs: 10_000 + random() * 300_000 }
  const slowsDown = random() < 0.3

  const isOut = (): boolean => rate() > 0 && time.now >= outage.from && time.now < outage.from + outage.forMs

  const latencyMs = (): number => {
    const usual = Math.exp(6 + 0.8 * gauss(random))
    const minutes = (time.now - began) / 60_000
    return Math.min(120_000, usual * (slowsDown && rate() > 0 ? 1 + minutes / 2 : 1))
  }

  return {
    id,
    // With a price no runtime loads the price list, which takes a time of its own and not that of the simulation.
    models: (['cheap', 'capable', 'premium'] as const).map(tier => ({ id: `${id}-${tier}`, tier, price })),
    async generate(request, context) {
      if (!asked(context)) return new Promise<never>(() => {})
      const { idempotencyKey } = context
      const rest = rests.get(idempotencyKey)
      rests.delete(idempotencyKey)
      if (rest?.provider === id && time.now < rest.until) options.askedTooSoon(idempotencyKey, rest.until - time.now)
      const fails = random() < rate()
      const chance = random()
      const hangs = fails && chance < 0.08
      if (hangs) failed(`provider ${id} hangs`)
      await waited(time, hangs ? 3_600_000 : latencyMs(), context.signal)
      if (isOut()) {
        failed(`provider ${id} is out`)
        throw outageFailure
      }
      if (fails && chance < 0.8) {
        const [, name, failure] = weighted(providerFailures, random)
        failed(`provider ${id}: ${name}`)
        if (failure.headers?.['retry-after'] !== undefined)
          rests.set(idempotencyKey, { provider: id, until: time.now + restMs })
        throw failure
      }
      if (fails && request.schema !== undefined) {
        failed(`provider ${id} answers what was not asked`)
        return paid(answer('{"not": "what was asked"', request), idempotencyKey, options)
      }
      return paid(rightAnswer(request, options), idempotencyKey, options)
    },
  }
}

function paid(given: ModelAnswer, idempotencyKey: string, { charged }: ProvidersOptions): ModelAnswer {
  charged(idempotencyKey, given.cost ?? 0)
  return given
}

function rightAnswer(request: ModelRequest, { answers, random }: ProvidersOptions): ModelAnswer {
  const given = answers?.(request, random)
  if (typeof given === 'string') return answer(given, request)
  if (given !== undefined) return answer(JSON.stringify(given), request)
  if (request.schema !== undefined) return answer(JSON.stringify(answerOfSchema(request.schema, random)), request)
  return answer(sentence(random), request)
}

function answer(text: string, request: ModelRequest): ModelAnswer {
  const inputTokens = Math.ceil(JSON.stringify(request.messages).length / 4)
  const outputTokens = Math.ceil(text.length / 4)
  // Whole thousandths: sums of them do not depend on their order.
  const cost = (inputTokens + 4 * outputTokens) / 1024
  return { text, finishReason: 'stop', usage: { inputTokens, outputTokens }, cost }
}

/** Passes that much time, or rejects when the call is given up. */
function waited(time: SimulatedTime, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = (): void => {
      time.cancel(timer)
      reject(signal.reason)
    }
    const timer = time.after(ms, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** From the standard normal distribution. */
const gauss = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
