/**
 * What a provider's failure is thrown as: a `ProviderError` whose details are what came over the wire, for the taxonomy
 * above to judge. Nothing is judged here. Keys are taken out of every text, since services and network libraries repeat
 * them in their messages.
 */
import { decodeError, encodeError, ProviderError } from '../errors.ts'

/** How far the call had come. */
export type Phase = 'request' | 'body' | 'stream'

export interface WireEvidence {
  readonly provider: string
  readonly model: string
  readonly phase: Phase
  readonly status: number | null
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** As it came: JSON data, or a text. */
  readonly body?: unknown
  /** What happened to the stream: a sentence. */
  readonly stream?: string | undefined
  /** What the network threw. */
  readonly thrown?: unknown
  /** Which of the provider's keys was used. */
  readonly keyIndex?: number | undefined
}

/** What is kept of a body that is longer is its beginning, as a text. */
const longestBody = 16_000
const longestSentence = 300

/** @param secrets texts that must not be in it */
export function wireFailure(evidence: WireEvidence, secrets: readonly string[]): ProviderError {
  const { provider, thrown, headers, ...rest } = evidence
  const network = thrown === undefined ? undefined : redacted(encodeError(thrown), secrets)
  const body = boundedBody(redacted(evidence.body, secrets))
  const message = `'${provider}' ${whatHappened({ ...evidence, body }, network?.message)}`
  return new ProviderError(
    redactedText(message, secrets),
    {
      provider,
      ...rest,
      ...(headers === undefined ? {} : { headers: redacted(headers, secrets) }),
      ...(body === undefined ? {} : { body }),
      ...(network === undefined ? {} : { network }),
    },
    network === undefined ? {} : { cause: decodeError(network) },
  )
}

function whatHappened({ status, body, stream, phase }: WireEvidence, network: string | undefined): string {
  const said = sentenceOf(body)
  const detail = said === undefined ? '' : `: ${said.slice(0, longestSentence)}`
  if (network !== undefined) return phase === 'request' ? `cannot be reached: ${network}` : `broke off: ${network}`
  if (stream !== undefined) return `${stream}${detail}`
  return status !== null && status >= 400
    ? `answered ${status}${detail}`
    : `gave no usable answer (status ${status})${detail}`
}

function sentenceOf(body: unknown): string | undefined {
  if (typeof body === 'string') return /^\s*</.test(body) ? undefined : body
  const error = field(body, 'error')
  for (const candidate of [field(error, 'message'), error, field(body, 'message')]) {
    if (typeof candidate === 'string' && candidate !== '') return candidate
  }
  return undefined
}

const field = (value: unknown, name: string): unknown =>
  value !== null && typeof value === 'object' ? (value as Record<string, unknown>)[name] : undefined

function boundedBody(body: unknown): unknown {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? '')
  return text.length > longestBody ? text.slice(0, longestBody) : body
}

/** JSON data without the secrets, whatever field they are in. */
function redacted<T>(value: T, secrets: readonly string[]): T {
  if (value === undefined) return value
  const text = JSON.stringify(value)
  const clean = redactedText(text, secrets)
  return clean === text ? value : (JSON.parse(clean) as T)
}

function redactedText(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of secrets) {
    // Escaped as it stands within JSON; a shorter one is a word that texts may have by chance.
    const escaped = JSON.stringify(secret).slice(1, -1)
    if (secret.length >= 6) clean = clean.replaceAll(secret, '[redacted]').replaceAll(escaped, '[redacted]')
  }
  return clean
}
