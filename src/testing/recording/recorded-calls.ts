/**
 * What the model calls of a run were answered, try by try, from its journal and its ledger. Answers that did not pass a
 * schema or a check are not kept by a run: of those there is the error.
 */
import type { EncodedError } from '../../errors.ts'
import { withoutStacks } from '../../runtime/stage/failure.ts'
import type { LedgerRow } from '../../store/store.ts'
import { parseFault } from '../chaos/fault.ts'
import type { JournalEntry } from './outcome.ts'
import type { RecordedTry, RunRecording } from './recording.ts'

export interface RecordedCalls {
  readonly calls: Record<string, Record<string, RecordedTry[]>>
  readonly models: RunRecording['models']
  /** Stage and key of calls that were answered from the response cache. */
  readonly cached: ReadonlySet<string>
}

interface CallData {
  readonly key: string
  readonly provider?: string
  readonly model?: string
  readonly tier?: 'cheap' | 'capable' | 'premium'
  readonly outcome?: string
  readonly kind?: string
  readonly error?: string | EncodedError
  readonly durationMs?: number
  readonly retryAfterMs?: number
  readonly cached?: boolean
}

/** Failures of a call that no provider gave: they come of themselves. */
const ours: ReadonlySet<string | undefined> = new Set([
  'budget_exceeded',
  'circuit_open',
  'cancelled',
  'timed_out',
  'invalid_options',
  'invalid_value',
])

interface Injected {
  failures: number
  slowMs: number
}

/** What was done to a call on purpose: a replay does that again by itself. */
function injectedInto({ type, data }: JournalEntry): Injected | undefined {
  const fault = type === 'chaos.injected' ? parseFault(data) : undefined
  if (fault?.fault === 'call.failed') return { failures: fault.times, slowMs: 0 }
  if (fault?.fault === 'circuit.tripped') return { failures: 1, slowMs: 0 }
  return fault?.fault === 'call.slow' ? { failures: 0, slowMs: fault.ms } : undefined
}

export function recordedCalls(journal: readonly JournalEntry[], ledger: readonly LedgerRow[]): RecordedCalls {
  const calls: RecordedCalls['calls'] = {}
  const models = new Map<string, RunRecording['models'][number]>()
  const began = new Map<string, number>()
  const injected = new Map<string, Injected>()
  const cached = new Set<string>()
  /** Whether the call that is under way has had an answer or a failure of a provider. */
  const triedNow = new Set<string>()
  for (const { type, stage, at, data } of journal) {
    const injection = injectedInto({ type, at, data })
    if (injection && stage !== undefined) injected.set(`${stage} ${(data.at as { key?: string }).key}`, injection)
    if (!type.startsWith('call.') || stage === undefined) continue
    const told = data as unknown as CallData
    const { key, provider, model, tier } = told
    const identity = `${stage} ${key}`
    const since = Math.max(0, at - (began.get(identity) ?? at))
    const push = (tried: RecordedTry): void => {
      began.set(identity, at)
      triedNow.add(identity)
      const onPurpose = injected.get(identity)
      if (onPurpose && 'error' in tried && onPurpose.failures-- > 0) return
      const ofStage = calls[stage] ?? {}
      calls[stage] = ofStage
      ofStage[key] = [...(ofStage[key] ?? []), { ...tried, ms: Math.max(0, tried.ms - (onPurpose?.slowMs ?? 0)) }]
      if (onPurpose) onPurpose.slowMs = 0
    }
    if (provider !== undefined && model !== undefined && tier !== undefined && provider !== 'operator')
      models.set(`${provider} ${model}`, { provider, model, tier })
    if (type === 'call.intended') {
      began.set(identity, at)
      triedNow.delete(identity)
    }
    if (type === 'call.attempted' && told.outcome === 'failed' && told.durationMs !== undefined)
      push({ ms: Math.max(0, Math.min(told.durationMs, since)), error: failureOf(told) })
    if (type === 'call.succeeded') {
      const row = ledger.find(entry => entry.stage === stage && entry.key === key)
      const recorded = JSON.parse(row?.data ?? '{}') as { answer?: { text: string } }
      // One from the response cache stands for the failures before it.
      if (told.cached) {
        cached.add(identity)
        delete calls[stage]?.[key]
      }
      if (recorded.answer) push({ ms: since, answer: recorded.answer })
    }
    if (type === 'call.failed' && !triedNow.has(identity) && typeof told.error === 'object') {
      if (!ours.has(told.error.code) && told.kind !== 'no_provider')
        push({ ms: since, error: withoutStacks(told.error) })
    }
  }
  return { calls, models: [...models.values()], cached }
}

function failureOf({ error, kind, retryAfterMs }: CallData): EncodedError {
  const details = { ...(kind === undefined ? {} : { kind }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  return { name: 'ProviderError', code: 'provider_failed', message: String(error ?? 'it failed'), details }
}
