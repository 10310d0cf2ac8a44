/**
 * Asks a provider once, whole or in pieces, and judges what it gave: an answer that is none is a failure (not the port's
 * form, a refusal, a stream that broke or that has no end).
 */
import { ProviderError } from '../errors.ts'
import type { CallContext, ModelAnswer, ModelRequest, Provider } from '../providers/provider.ts'
import { kindByFinish } from './failure-codes.ts'
import type { FailureKind } from './kinds.ts'

/** Who takes an answer in pieces. */
export interface PieceSink {
  /** Another attempt begins: what came before is void. */
  restart(): void
  piece(text: string): void
  /** Somebody has been given a piece, which no other attempt can take back. */
  readonly isCommitted: boolean
}

/** @throws what the provider throws; ProviderError `invalid_response stream_error content_filter context_length` */
export async function askProvider(
  provider: Provider,
  request: ModelRequest,
  context: CallContext,
  sink: PieceSink | undefined,
): Promise<ModelAnswer> {
  sink?.restart()
  if (sink === undefined) return checkedAnswer(provider, await provider.generate(request, context))
  if (provider.stream === undefined) {
    const answer = checkedAnswer(provider, await provider.generate(request, context))
    if (answer.text !== '' && !context.signal.aborted) sink.piece(answer.text)
    return answer
  }
  for await (const chunk of provider.stream(request, context)) {
    if (chunk.type === 'end') return checkedAnswer(provider, chunk.answer)
    // An attempt that was given up has nobody who listens.
    if (context.signal.aborted) throw context.signal.reason
    if (chunk.type === 'text' && chunk.text !== '') sink.piece(chunk.text)
  }
  throw new ProviderError(`the stream of '${provider.id}' has no end`, { kind: 'stream_error' })
}

const finishFailures: ReadonlySet<FailureKind> = new Set(['content_filter', 'context_length', 'stream_error'])

function checkedAnswer(provider: Provider, answer: ModelAnswer): ModelAnswer {
  if (answer === null || typeof answer !== 'object' || typeof answer.text !== 'string') {
    throw new ProviderError(`provider '${provider.id}' gave no answer: an object with a text was expected`, {
      kind: 'invalid_response',
    })
  }
  const kind = answer.finishReason === undefined ? undefined : kindByFinish([answer.finishReason])
  if (kind !== undefined && finishFailures.has(kind)) {
    throw new ProviderError(`provider '${provider.id}' ended with '${answer.finishReason}'`, { kind })
  }
  return answer
}
