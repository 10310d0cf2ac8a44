/**
 * Providers that answer what was recorded: try by try, by which call of which stage it is. Where the recording has
 * nothing they say so, or ask others.
 */
import { decodeError, type EncodedError, ProviderError } from '../../errors.ts'
import { offline } from '../../providers/offline.ts'
import type { CallContext, ModelAnswer, ModelRequest, Provider } from '../../providers/provider.ts'
import type { RecordedTry, RunRecording } from './recording.ts'

/** Of a run that had not asked anybody yet. */
const simulatedModels = (['cheap', 'capable', 'premium'] as const).map(tier => ({
  id: `simulated-${tier}`,
  tier,
  price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 },
}))

export interface RecordedProvidersOptions {
  readonly recording: RunRecording
  /** Lets the time pass that something took, or rejects when the signal aborts. */
  readonly pass: (ms: number, signal: AbortSignal) => Promise<void>
  /** Told of a call of which there is no recorded answer, by its idempotency key. */
  readonly unrecorded: (call: string) => void
  /** Answers what was not recorded. */
  readonly others?: ((request: ModelRequest, context: CallContext) => Promise<ModelAnswer>) | undefined
}

export function recordedProviders({
  recording,
  pass,
  unrecorded,
  others,
}: RecordedProvidersOptions): readonly Provider[] {
  const left = new Map<string, RecordedTry[]>()
  for (const { id, calls } of recording.runs) {
    for (const [stage, byKey] of Object.entries(calls)) {
      for (const [key, tries] of Object.entries(byKey)) left.set(`${id}/${stage}/${key}`, [...tries])
    }
  }
  const hasCost = [...left.values()].flat().some(tried => 'answer' in tried && tried.answer.cost !== undefined)

  const generate: Provider['generate'] = async (request, context) => {
    const tries = left.get(context.idempotencyKey)
    const tried = tries?.[0]
    if (!tried) {
      unrecorded(context.idempotencyKey)
      if (others) return others(request, context)
      throw new ProviderError(`the recording has no answer for this model call: ${context.idempotencyKey}`, {
        kind: 'invalid_request',
        scope: 'request',
      })
    }
    await pass(tried.ms, context.signal)
    // What nobody waited for any more was answered to the next who asked.
    tries?.shift()
    if ('error' in tried) throw decodeError(tried.error as EncodedError)
    return tried.answer as unknown as ModelAnswer
  }

  const stream: Provider['stream'] = async function* (request, context) {
    const answer = await generate(request, context)
    if (answer.text !== '') yield { type: 'text', text: answer.text }
    for (const call of answer.toolCalls ?? []) yield { type: 'tool-call', ...call }
    yield { type: 'end', answer }
  }

  const byProvider = new Map<string, Provider['models'][number][]>()
  for (const { provider, model, tier } of recording.models) {
    if (provider === 'offline') continue
    byProvider.set(provider, [...(byProvider.get(provider) ?? []), { id: model, tier }])
  }
  if (others && byProvider.size === 0) byProvider.set('simulated', [...simulatedModels])
  return [
    ...[...byProvider].map(([id, models]): Provider => ({ id, models, tellsCost: hasCost, generate, stream })),
    // As in every runtime whose providers are those of the environment.
    { ...offline(), generate },
  ]
}
