/**
 * One answer to "what went wrong": `classifyError` turns anything thrown, or what came over the wire, into a kind with
 * its type, scope of blame and next action. It never throws. What decides, in this order: a structured code, a reason
 * in the details, a header, the status, the sentence.
 */
import { type ErrorCategory, type ErrorType, errorCodes } from '../error-codes.ts'
import { systemClock } from '../time/clock.ts'
import { kindByFinish, kindByReason, kindByTellingCode, kindByVagueCode } from './failure-codes.ts'
import { carrierOf, type FailureEvidence, gatherEvidence } from './failure-evidence.ts'
import { kindByBareStatus, statusEntry } from './failure-statuses.ts'
import { kindByText, speaksOfDay, speaksOfNoQuota, speaksOfTier } from './failure-texts.ts'
import { readField } from './hostile-fields.ts'
import { type FailureAction, type FailureKind, type FailureScope, isFailureKind, kindTable } from './kinds.ts'
import { retryHintMs } from './retry-hint.ts'
import { isLocalResource, kindByTransport } from './transport-errors.ts'

export interface Classification {
  readonly type: ErrorType
  readonly kind: FailureKind
  readonly category: ErrorCategory
  /** Whether the same request may succeed later. */
  readonly transient: boolean
  readonly scope: FailureScope
  readonly action: FailureAction
  /** When the provider says to come again; only where that can help. */
  readonly retryAfterMs?: number | undefined
  readonly message: string
}

export interface ClassifyOptions {
  /** The provider's id, where a bare status means another thing than elsewhere. */
  readonly provider?: string | undefined
  /** Whether the caller's signal had been aborted when it was thrown: then it is a cancellation, whatever it looks like. */
  readonly aborted?: boolean | undefined
  /** The time that dates are counted from, in ms. @default the system clock's */
  readonly nowMs?: number | undefined
}

/** What a failure is. Never throws, whatever it is given. */
export function classifyError(failure: unknown, options: ClassifyOptions = {}): Classification {
  try {
    if (options.aborted === true) return ofKind('cancelled', 'the caller cancelled it')
    return ofHoldfast(failure, options) ?? ofWrapped(failure, options) ?? ofEvidence(failure, options)
  } catch {
    return ofUserCode('what was thrown cannot be read')
  }
}

function ofKind(kind: FailureKind, message: string, retryAfterMs?: number): Classification {
  const { type, category, scope, action, transient } = kindTable[kind]
  const hint = retryAfterMs === undefined || !transient ? {} : { retryAfterMs }
  return { type, kind, category, transient, scope, action, ...hint, message: readable(message) }
}

/** What no call to a model or service is to blame for: a defect of the code that threw it. */
function ofUserCode(
  message: string,
  type: ErrorType = 'runtime',
  category: ErrorCategory = 'critical',
): Classification {
  return {
    type,
    kind: 'unknown',
    category,
    transient: false,
    scope: 'local',
    action: 'fail',
    message: readable(message),
  }
}

/** Errors of ours, of any copy of this package or back from JSON: their details and their code decide. */
function ofHoldfast(failure: unknown, options: ClassifyOptions): Classification | undefined {
  const code = readField(failure, 'code')
  if (typeof code !== 'string' || !Object.hasOwn(errorCodes, code) || !isOurs(failure)) return undefined
  const entry = errorCodes[code as keyof typeof errorCodes]
  const message = String(readField(failure, 'message') ?? '')
  const details = readField(failure, 'details')
  const kind = readField(details, 'kind')
  const known = isFailureKind(kind) ? kind : code === 'cancelled' ? 'cancelled' : undefined
  if (known === undefined) {
    if (code === 'provider_failed') return withMessage(ofCause(failure, options), message)
    return ofUserCode(message, entry.type, entry.category)
  }
  const hint = Number(readField(details, 'retryAfterMs') ?? readField(details, 'remainingMs') ?? Number.NaN)
  const base = ofKind(known, message, Number.isFinite(hint) ? Math.max(0, hint) : undefined)
  const transient = readField(details, 'transient')
  return typeof transient === 'boolean' ? { ...base, transient } : base
}

/** An error of somebody else's around one that was answered, or around one of ours: what is within decides. */
function ofWrapped(failure: unknown, options: ClassifyOptions): Classification | undefined {
  const carrier = carrierOf(failure, isOurs)
  if (carrier === failure) return undefined
  const within = ofHoldfast(carrier, options) ?? ofEvidence(carrier, options)
  const own = readField(failure, 'message')
  if (typeof own !== 'string' || own === '') return within
  return withMessage(within, own.includes(within.message) ? own : `${own}: ${within.message}`)
}

function isOurs(failure: unknown): boolean {
  return readField(failure, 'details') !== undefined && /^[A-Z][A-Za-z]*Error$/.test(String(readField(failure, 'name')))
}

/** A provider's error that was not classified yet: by what it carries, or by what caused it. */
function ofCause(failure: unknown, options: ClassifyOptions): Classification {
  const details = readField(failure, 'details')
  const status = readField(details, 'status')
  const tells = ['body', 'stream', 'network'].some(field => readField(details, field) !== undefined)
  const carried = typeof status === 'number' || (status === null && tells) ? details : readField(failure, 'cause')
  return carried === undefined ? ofKind('unknown', '') : ofEvidence(carried, options)
}

const withMessage = (classified: Classification, message: string): Classification =>
  message === '' ? classified : { ...classified, message: readable(message) }

function ofEvidence(failure: unknown, options: ClassifyOptions): Classification {
  const evidence = gatherEvidence(failure)
  const message = messageOf(failure, evidence)
  const hint = retryHintMs(evidence, options.nowMs ?? systemClock.now())
  const decided = decideKind(evidence, options.provider ?? '', hint !== undefined)
  if (decided === undefined) {
    if (isLocalResource(evidence.chain)) return ofUserCode(message, 'resource', 'resource')
    return evidence.wire ? ofKind('unknown', message) : ofUserCode(message)
  }
  const { kind, firm } = decided
  const classified = ofKind(kind, message, hint)
  return withAdvice(classified, evidence.headers['x-should-retry']?.toLowerCase(), firm)
}

/** The service's own advice: a "no" holds always, a "yes" only where no code or detail has decided otherwise. */
function withAdvice(classified: Classification, advice: string | undefined, firm: boolean): Classification {
  if (advice === 'false' && classified.transient) {
    const { retryAfterMs: _, ...rest } = classified
    return { ...rest, transient: false, action: 'fallback_provider' }
  }
  const helps = advice === 'true' && !classified.transient && !firm
  return helps ? { ...classified, transient: true, action: 'retry' } : classified
}

interface Decided {
  readonly kind: FailureKind
  /** Whether a code or a detail decided it. */
  readonly firm: boolean
}

function decideKind(evidence: FailureEvidence, provider: string, hasHint: boolean): Decided | undefined {
  const below = kindByTransport(evidence.chain)
  if (below !== undefined) return { kind: below, firm: true }
  if (!evidence.wire) return undefined
  const firm = firmKind(evidence)
  if (firm !== undefined) return { kind: lasts(firm, evidence, hasHint) ? 'quota_exhausted' : firm, firm: true }
  const status = effectiveStatus(evidence)
  const kind =
    status === null || status < 400 ? kindWithoutStatus(evidence, provider) : softKind(evidence, provider, status)
  return kind === undefined ? undefined : { kind, firm: false }
}

/** Codes, then reasons, then the header that carries a code. */
function firmKind(evidence: FailureEvidence): FailureKind | undefined {
  const code = kindByTellingCode(evidence.codes)
  if ((code === 'rate_limit' || code === undefined) && evidence.status !== 200 && speaksOfTier(evidence.texts)) {
    return 'request_too_large_for_tier'
  }
  if (evidence.status === 429 && speaksOfNoQuota(evidence.texts)) return 'quota_exhausted'
  return code ?? kindByReason(evidence.reasons) ?? kindByRetryInfo(evidence) ?? kindByHeader(evidence.headers)
}

/** A limit of a day that names no moment of its return is gone for the day, whatever code it shares with a shorter one. */
const lasts = (kind: FailureKind, { texts }: FailureEvidence, hasHint: boolean): boolean =>
  kind === 'rate_limit' && !hasHint && speaksOfDay(texts)

/** A quota with a moment at which it is given back is a rate limit, whatever its sentence says of plans and billing. */
function kindByRetryInfo(evidence: FailureEvidence): FailureKind | undefined {
  return evidence.status === 429 && evidence.hints.retrydelay !== undefined ? 'rate_limit' : undefined
}

/** A vague code says no more in a header than in a body: there a sentence may tell more than it does. */
function kindByHeader(headers: Readonly<Record<string, string>>): FailureKind | undefined {
  const code = headers['x-amzn-errortype'] ?? headers['x-ms-error-code'] ?? headers['x-error-code']
  return code === undefined ? undefined : kindByTellingCode([code])
}

/** The status of the answer; where that is none or a success, the one that its body speaks of. */
function effectiveStatus(evidence: FailureEvidence): number | null {
  if (evidence.status !== null && evidence.status >= 400) return evidence.status
  return evidence.bodyStatuses.find(status => status >= 400) ?? evidence.status
}

function softKind(evidence: FailureEvidence, provider: string, status: number): FailureKind | undefined {
  if (evidence.bodyEmpty) {
    const bare = kindByBareStatus(provider, status, evidence.headers)
    if (bare !== undefined) return bare
  }
  const entry = statusEntry(status)
  if (entry === undefined) return undefined
  const byText = evidence.html ? undefined : kindByText(evidence.texts, entry.textMaySay)
  return byText ?? entry.kind
}

/** A failure inside a success, or one whose status was lost: a refusal, an error in a stream, an answer that is none. */
function kindWithoutStatus(evidence: FailureEvidence, provider: string): FailureKind | undefined {
  const byFinish = kindByFinish(evidence.finishes)
  if (byFinish !== undefined) return byFinish
  const byText = kindByText(evidence.texts, 'all')
  if (evidence.status === null) {
    const vague = byText ?? kindByVagueCode(evidence.codes)
    return vague ?? (evidence.stream === '' ? undefined : 'stream_error')
  }
  const silent = evidence.bodyEmpty && /empty/i.test(evidence.stream)
  // Local servers end the stream at once, without a word, where the prompt does not fit.
  if (silent) return localServers.has(provider) ? 'context_length' : 'stream_error'
  const brokeOff = evidence.stream !== '' && evidence.texts.length > 0
  // In a stream a vague code says no more than that it broke; a whole answer that is an error is that error.
  const isWhole = evidence.stream === '' && !/event-stream/i.test(evidence.headers['content-type'] ?? '')
  if (evidence.bodyNamesError || brokeOff) {
    return byText ?? (isWhole ? kindByVagueCode(evidence.codes) : undefined) ?? 'stream_error'
  }
  if (evidence.html) return 'invalid_response'
  return evidence.stream === '' ? 'invalid_response' : 'stream_error'
}

const localServers = new Set(['lmstudio', 'lm-studio', 'llama.cpp', 'llamacpp', 'ollama'])

function messageOf(failure: unknown, evidence: FailureEvidence): string {
  const own = readField(failure, 'message')
  if (typeof own === 'string' && own !== '' && failure instanceof Error) {
    const link = evidence.chain.find((other, index) => index > 0 && (other.message !== '' || other.code !== ''))
    const detail = link === undefined ? '' : link.message === '' ? link.code : link.message
    return detail === '' || own.includes(detail) ? own : `${own}: ${detail}`
  }
  const text = evidence.texts[0] ?? evidence.chain.find(link => link.message !== '')?.message
  if (text !== undefined) return text
  if (typeof own === 'string' && own !== '') return own
  if (evidence.status !== null)
    return `status ${evidence.status}${evidence.stream === '' ? '' : `, ${evidence.stream}`}`
  return typeof failure === 'string' ? failure : 'a failure without a message'
}

const longestMessage = 500

/** One line, bounded, without what looks like a key. */
function readable(message: string): string {
  return message
    .slice(0, longestMessage * 4)
    .replace(
      /\b(?:sk|pk|rk|gsk|xai|hf|key)[-_][A-Za-z0-9_*-]{8,}|\bAIza[\w-]{20,}|\bBearer\s+[\w.~+/-]{8,}=*/g,
      '[redacted]',
    )
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, longestMessage)
}
