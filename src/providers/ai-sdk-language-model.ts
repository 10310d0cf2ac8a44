/**
 * What a model object of the AI SDK looks like, versions 2 and 3 of its specification, as far as it is used here. The
 * types are structural, so that any package's model fits and none is needed.
 */

export interface AiSdkCallOptions {
  readonly prompt: readonly unknown[]
  readonly maxOutputTokens?: number
  readonly temperature?: number
  readonly responseFormat?: { readonly type: 'json'; readonly schema: unknown }
  readonly tools?: readonly unknown[]
  readonly toolChoice?: { readonly type: 'auto' }
  readonly abortSignal: AbortSignal
  readonly headers: Readonly<Record<string, string>>
}

interface AiSdkResult {
  readonly content: readonly unknown[]
  readonly finishReason: unknown
  readonly usage: unknown
  readonly response?: unknown
}

/** `LanguageModelV2` and `LanguageModelV3`; methods are taken as they are, whatever their options' exact type. */
export interface AiSdkLanguageModel {
  readonly specificationVersion: string
  readonly provider: string
  readonly modelId: string
  // biome-ignore lint/suspicious/noExplicitAny: the options of both versions must be assignable
  doGenerate(options: any): PromiseLike<AiSdkResult>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  doStream(options: any): PromiseLike<{ readonly stream: ReadableStream<any> }>
}
