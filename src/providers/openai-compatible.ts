/**
 * Any server that speaks OpenAI's chat completions: OpenAI itself, routers, hosted open models, servers of one's own.
 */
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { type HttpOptions, httpFields, resolveHttpOptions } from './http-options.ts'
import { httpProvider } from './http-provider.ts'
import type { ModelsOption } from './offered-models.ts'
import { openAiChat } from './openai-chat.ts'
import type { Provider } from './provider.ts'

export interface OpenAiCompatibleOptions extends HttpOptions {
  /** What circuits, prices and reports know it by: `openai`, `groq`, `my-server`. Prices are listed by it. */
  readonly id: string
  /** Up to and with the version: `https://api.openai.com/v1`. */
  readonly baseURL: string
  /** In the order of preference within a tier. */
  readonly models: ModelsOption
}

const schema = z.strictObject(httpFields)

/**
 * A provider over `POST {baseURL}/chat/completions`.
 * @throws OptionsError that names the option and the mend
 */
export function openaiCompatible(options: OpenAiCompatibleOptions): Provider {
  const resolved = resolveHttpOptions(parseOptions(schema, options, 'openaiCompatible'), 'openaiCompatible')
  const { hostname } = new URL(resolved.baseURL)
  const isOf = (host: string): boolean => hostname === host || hostname.endsWith(`.${host}`)
  const dialect = openAiChat({
    outputLimitField: isOf('openai.com') || isOf('azure.com') ? 'max_completion_tokens' : 'max_tokens',
    tellsCost: isOf('openrouter.ai') || resolved.id === 'openrouter',
  })
  return httpProvider({ ...resolved, dialect })
}
