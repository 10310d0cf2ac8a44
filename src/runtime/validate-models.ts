/**
 * Whether the models that a runtime would be given make sense: prices that are positive and plausible, names and tiers
 * that are known, a model for the tier of every task, none that its provider no longer serves. It asks nobody; `ping`
 * does, once a model, and only when it is told to.
 */
import type { Provider } from '../providers/provider.ts'
import type { ModelInfo, ModelRegistry } from '../providers/registry.ts'
import { classifyError } from '../resilience/classify.ts'
import { taskProfiles } from '../resilience/profiles.ts'
import { tierOfTask } from '../resilience/task-tiers.ts'
import type { Clock } from '../time/clock.ts'

export interface ModelFinding {
  /** An error would make calls fail or their cost wrong; a warning is good to know. */
  readonly level: 'error' | 'warning'
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly task?: string | undefined
  readonly message: string
}

/** USD for 10^6 tokens that no model has cost yet. */
const implausibleUsdPerMTok = 2000

export function validateModels(
  providers: readonly Provider[],
  registry: ModelRegistry,
  now: number,
): readonly ModelFinding[] {
  const offered = registry.list().filter(model => model.offered)
  return [...offered.flatMap(model => findingsOf(model, now)), ...uncoveredTasks(providers, offered)]
}

function findingsOf(info: ModelInfo, now: number): ModelFinding[] {
  const { provider, model, price, deprecated } = info
  const found: ModelFinding[] = []
  const add = (level: ModelFinding['level'], message: string): void =>
    void found.push({ level, provider, model, message })
  if (price === 'unknown') {
    add('warning', 'has no known price, so it is refused under a budget of money; set one in `models`, 0 included')
  } else {
    const { inputUsdPerMTok, outputUsdPerMTok } = price
    if (!(inputUsdPerMTok >= 0) || !(outputUsdPerMTok >= 0)) add('error', 'has a price that is negative or no number')
    if (Math.max(inputUsdPerMTok, outputUsdPerMTok) > implausibleUsdPerMTok) {
      add('error', `costs more than ${implausibleUsdPerMTok} USD for a million tokens: is its price that of one token?`)
    }
    if (inputUsdPerMTok > outputUsdPerMTok) add('warning', 'costs more to read than to write: are its prices swapped?')
  }
  if (deprecated === true) add('warning', 'is deprecated by its provider')
  if (typeof deprecated === 'string') {
    const isOver = Date.parse(deprecated) < now
    add(
      isOver ? 'error' : 'warning',
      isOver ? `is not served any more since ${deprecated}` : `is served until ${deprecated}`,
    )
  }
  return found
}

function uncoveredTasks(providers: readonly Provider[], offered: readonly ModelInfo[]): ModelFinding[] {
  return Object.keys(taskProfiles).flatMap((task): ModelFinding[] => {
    const able = providers.filter(provider => provider.accepts?.(task) ?? true)
    const models = offered.filter(({ provider }) => able.some(({ id }) => id === provider))
    const tier = tierOfTask(task)
    const undecided = able.some(provider => provider.models.length === 0)
    if (undecided || models.some(model => model.tier === tier)) return []
    const message =
      models.length === 0
        ? `no model does the task '${task}'; set OPENAI_API_KEY or ANTHROPIC_API_KEY, or give providers`
        : `the task '${task}' wants a ${tier} model, and there is none; another tier is asked`
    return [{ level: 'warning', task, message }]
  })
}

export interface PingResult {
  readonly provider: string
  readonly model: string
  readonly ok: boolean
  readonly latencyMs: number
  readonly message: string
}

const pingMs = 10_000

/** Asks every model one word, one after another. It costs what a few tokens cost. */
export async function pingModels(providers: readonly Provider[], clock: Clock): Promise<readonly PingResult[]> {
  const results: PingResult[] = []
  for (const provider of providers) {
    if (provider.accepts && !provider.accepts('ping')) continue
    for (const { id } of provider.models) results.push(await ping(provider, id, clock))
  }
  return results
}

async function ping(provider: Provider, model: string, clock: Clock): Promise<PingResult> {
  const began = clock.now()
  const end = new AbortController()
  const timer = clock.setTimeout(() => end.abort(new Error(`no answer within ${pingMs / 1000} s`)), pingMs)
  const told = (ok: boolean, message: string): PingResult => {
    return { provider: provider.id, model, ok, latencyMs: clock.now() - began, message }
  }
  try {
    const messages = [{ role: 'user', content: 'Say ok.' }] as const
    const context = { signal: end.signal, idempotencyKey: `ping/${provider.id}/${model}/${began}`, attempt: 1 }
    await provider.generate({ task: 'ping', model, messages, maxOutputTokens: 16 }, context)
    return told(true, 'answered')
  } catch (error) {
    const { kind, message } = classifyError(error, { provider: provider.id })
    return told(false, `${kind}: ${message}`)
  } finally {
    clock.clearTimeout(timer)
  }
}
