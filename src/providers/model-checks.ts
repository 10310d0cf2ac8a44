/**
 * What may be wrong with the models that a runtime is to use, found before they are called: prices that cannot be,
 * providers and tiers that nobody offers, tasks without a model, models that are served no longer. Pure, but for
 * `pingModels`, which asks each model for one word, and only where someone wants to spend that.
 */
import { suggestion } from '../options.ts'
import type { Clock } from '../time/clock.ts'
import type { Provider, Tier, TokenPrices } from './provider.ts'
import type { ModelInfo } from './registry.ts'

export interface ModelFinding {
  readonly level: 'error' | 'warning'
  readonly code:
    | 'unknown_provider'
    | 'unknown_tier'
    | 'impossible_price'
    | 'implausible_price'
    | 'unknown_price'
    | 'implausible_size'
    | 'deprecated'
    | 'task_without_model'
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly task?: string | undefined
  readonly message: string
}

export interface ModelChecksInput {
  /** What the registry lists. Models that nobody offers are checked only where a user set something of them. */
  readonly models: readonly ModelInfo[]
  /** The ids of the providers that there are. */
  readonly providers: readonly string[]
  /** The tiers that each task needs a model of; one model of any of them is enough. */
  readonly tasks: Readonly<Record<string, readonly Tier[]>>
  readonly nowMs: number
}

/** Everything that is wrong, errors first. */
export function checkModels(input: ModelChecksInput): readonly ModelFinding[] {
  const inUse = input.models.filter(({ offered, priceSource }) => offered || priceSource === 'set')
  const findings = [
    ...inUse.flatMap(model => [
      ...checkProvider(model, input),
      ...checkPrice(model),
      ...checkSizes(model),
      ...checkDeprecation(model, input.nowMs),
    ]),
    ...checkTasks(input),
  ]
  return findings.sort((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'))
}

type Code = ModelFinding['code']

function finding(level: ModelFinding['level'], code: Code, { provider, model }: ModelInfo, text: string): ModelFinding {
  return { level, code, provider, model, message: `${provider}/${model}: ${text}` }
}

const tiers: readonly string[] = ['cheap', 'capable', 'premium'] satisfies Tier[]

function checkProvider(model: ModelInfo, { providers }: ModelChecksInput): ModelFinding[] {
  const found: ModelFinding[] = []
  if (!providers.includes(model.provider)) {
    const near = suggestion(model.provider, providers)
    found.push(finding('error', 'unknown_provider', model, `there is no provider '${model.provider}'${near}`))
  } else if (!model.offered) {
    found.push(finding('warning', 'unknown_provider', model, `'${model.provider}' does not offer this model`))
  }
  if (!tiers.includes(model.tier)) {
    found.push(finding('error', 'unknown_tier', model, `'${model.tier}' is no tier; tiers are ${tiers.join(', ')}`))
  }
  return found
}

/** Beyond this no provider has ever asked; it is a price for 10^6 that was meant for 10^9, or the like. */
const mostUsdPerMTok = 2000
const leastUsdPerMTok = 0.0005

function checkPrice(model: ModelInfo): ModelFinding[] {
  const { price, priceSource } = model
  if (price === 'unknown') {
    return [
      finding('warning', 'unknown_price', model, 'its price is unknown; set one, 0 included, or a budget of calls'),
    ]
  }
  const found: ModelFinding[] = []
  for (const step of [price, ...(price.longPrompts ?? [])]) {
    for (const [name, usd] of amountsOf(step)) {
      if (!Number.isFinite(usd) || usd < 0) {
        found.push(finding('error', 'impossible_price', model, `${name} is ${usd}; a price is 0 or more`))
      } else if (usd > mostUsdPerMTok) {
        found.push(finding('error', 'implausible_price', model, `${name} is ${usd} USD for a million tokens`))
      } else if (usd > 0 ? usd < leastUsdPerMTok : priceSource === 'list') {
        found.push(finding('warning', 'implausible_price', model, `${name} is ${usd} USD for a million tokens`))
      }
    }
    const { inputUsdPerMTok, outputUsdPerMTok, cacheReadUsdPerMTok = 0 } = step
    if (outputUsdPerMTok < inputUsdPerMTok) {
      found.push(finding('warning', 'implausible_price', model, 'output is cheaper than input: are they swapped?'))
    }
    if (cacheReadUsdPerMTok > inputUsdPerMTok) {
      found.push(finding('warning', 'implausible_price', model, 'reading from the cache costs more than fresh input'))
    }
  }
  return found
}

const amountsOf = ({ inputUsdPerMTok, outputUsdPerMTok, cacheReadUsdPerMTok, cacheWriteUsdPerMTok }: TokenPrices) =>
  Object.entries({ inputUsdPerMTok, outputUsdPerMTok, cacheReadUsdPerMTok, cacheWriteUsdPerMTok }).filter(
    (entry): entry is [string, number] => entry[1] !== undefined,
  )

function checkSizes(model: ModelInfo): ModelFinding[] {
  const { contextWindow, maxOutputTokens } = model
  if (contextWindow === undefined || maxOutputTokens === undefined || maxOutputTokens <= contextWindow) return []
  const text = `it may write ${maxOutputTokens} tokens, and its context window holds ${contextWindow}`
  return [finding('error', 'implausible_size', model, text)]
}

function checkDeprecation(model: ModelInfo, nowMs: number): ModelFinding[] {
  const { deprecated } = model
  if (deprecated === undefined || deprecated === false) return []
  if (deprecated === true) return [finding('warning', 'deprecated', model, 'its provider calls it deprecated')]
  const over = Date.parse(deprecated) <= nowMs
  const text = over ? `it is served no longer since ${deprecated}` : `it is served until ${deprecated}`
  return [finding(over ? 'error' : 'warning', 'deprecated', model, text)]
}

function checkTasks({ models, tasks }: ModelChecksInput): ModelFinding[] {
  const offered = new Set(models.filter(model => model.offered).map(({ tier }) => tier))
  return Object.entries(tasks)
    .filter(([, wanted]) => wanted.length > 0 && !wanted.some(tier => offered.has(tier)))
    .map(([task, wanted]) => ({
      level: 'error',
      code: 'task_without_model',
      task,
      message: `task '${task}' needs a model of tier ${wanted.join(' or ')}, and no provider offers one`,
    }))
}

export interface PingResult {
  readonly provider: string
  readonly model: string
  readonly outcome: 'answered' | 'failed' | 'skipped'
  readonly latencyMs?: number | undefined
  /** Why it failed or was skipped. */
  readonly reason?: string | undefined
  /** What it threw, for `classifyError`. */
  readonly error?: unknown
}

/** How long a model may take. */
const pingMs = 10_000

/** What a ping may write, at most; reasoning models refuse much less. */
const pingTokens = 64

/**
 * Asks every model of the providers for one word, one after the other, each for 10 s at the most. A provider that has no key, or takes no general
 * task, is skipped.
 */
export async function pingModels(
  providers: readonly Provider[],
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly PingResult[]> {
  const results: PingResult[] = []
  for (const provider of providers) {
    const why = skippedBecause(provider)
    for (const { id: model, tier } of provider.models) {
      const target = { provider: provider.id, model }
      if (why !== undefined) {
        results.push({ ...target, outcome: 'skipped', reason: why })
        continue
      }
      const startedAt = clock.now()
      const late = new AbortController()
      const timer = clock.setTimeout(() => late.abort(new Error(`no answer within ${pingMs / 1000} s`)), pingMs)
      const messages = [{ role: 'user', content: 'Answer with the word ok.' }] as const
      try {
        await provider.generate(
          { task: pingTask, model, tier, messages, maxOutputTokens: pingTokens },
          {
            signal: AbortSignal.any([signal, late.signal]),
            idempotencyKey: `ping/${provider.id}/${model}/${startedAt}`,
            attempt: 1,
          },
        )
        results.push({ ...target, outcome: 'answered', latencyMs: clock.now() - startedAt })
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        results.push({ ...target, outcome: 'failed', latencyMs: clock.now() - startedAt, reason, error })
      } finally {
        clock.clearTimeout(timer)
      }
    }
  }
  return results
}

const pingTask = 'ping'

function skippedBecause(provider: Provider): string | undefined {
  if (provider.keyCount === 0) return 'it has no key'
  return provider.accepts?.(pingTask) === false ? 'it does only its own tasks' : undefined
}
