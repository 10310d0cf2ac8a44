/** What tests of providers share: a server that is closed after the test, a call's context, and reading a stream. */
import { afterEach } from 'vitest'
import type { CallContext, ModelAnswer, ModelChunk, ModelRequest, Provider } from '../../src/providers/provider.ts'
import { type Classification, classifyError } from '../../src/resilience/classify.ts'
import {
  type FakeProviderServer,
  type FakeProviderServerOptions,
  fakeProviderServer,
} from '../../src/testing/fake-provider-server.ts'
import type { ServerReplyFunction, ServerScriptEntry } from '../../src/testing/fake-provider-server-script.ts'

export type Serve = (
  script: readonly ServerScriptEntry[] | ServerReplyFunction,
  options?: FakeProviderServerOptions,
) => Promise<FakeProviderServer>

/** To be called in a file or a block of tests: servers that it starts are closed after each. */
export function servers(): Serve {
  const open: FakeProviderServer[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map(server => server.close()))
  })
  return async (script, options) => {
    const server = await fakeProviderServer(script, options)
    open.push(server)
    return server
  }
}

export const contextOf = (context: Partial<CallContext> = {}): CallContext => ({
  signal: new AbortController().signal,
  idempotencyKey: 'run/stage/call',
  attempt: 1,
  ...context,
})

export const hello: ModelRequest = { task: 'general', messages: [{ role: 'user', content: 'Say hello.' }] }

export interface StreamedAnswer {
  readonly chunks: readonly ModelChunk[]
  readonly answer: ModelAnswer | undefined
}

export async function readStream(
  provider: Provider,
  request: ModelRequest = hello,
  context: CallContext = contextOf(),
): Promise<StreamedAnswer> {
  const chunks: ModelChunk[] = []
  for await (const chunk of provider.stream?.(request, context) ?? []) chunks.push(chunk)
  const last = chunks.at(-1)
  return { chunks, answer: last?.type === 'end' ? last.answer : undefined }
}

export const streamedText = ({ chunks }: StreamedAnswer): string =>
  chunks.map(chunk => (chunk.type === 'text' ? chunk.text : '')).join('')

/** What it was rejected with, and what the taxonomy makes of it. */
export async function failureOf(work: Promise<unknown>, provider?: string): Promise<Classification & { error: Error }> {
  const error = await work.then(
    value => {
      throw new Error(`it succeeded: ${JSON.stringify(value)}`)
    },
    (thrown: unknown) => thrown as Error,
  )
  return { ...classifyError(error, { provider }), error }
}
