/** Anthropic, or a gateway that speaks its messages. */
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { anthropicMessages } from './anthropic-messages.ts'
import { type HttpOptions, httpFields, resolveHttpOptions } from './http-options.ts'
import { httpProvider } from './http-provider.ts'
import { defaultModels } from './known-models.ts'
import type { ModelsOption } from './offered-models.ts'
import type { Provider } from './provider.ts'

export interface AnthropicOptions extends HttpOptions {
  /** @default 'anthropic' */
  readonly id?: string | undefined
  /** With or without `/v1` at its end. @default 'https://api.anthropic.com' */
  readonly baseURL?: string | undefined
  /** @default one a tier, see docs/providers.md */
  readonly models?: ModelsOption | undefined
}

const schema = z.strictObject({
  ...httpFields,
  id: httpFields.id.optional(),
  baseURL: httpFields.baseURL.optional(),
  models: httpFields.models.optional(),
})

export const anthropicBaseURL = 'https://api.anthropic.com'

/**
 * A provider over `POST {baseURL}/v1/messages`.
 * @throws OptionsError that names the option and the mend
 */
export function anthropic(options: AnthropicOptions = {}): Provider {
  const parsed = parseOptions(schema, options, 'anthropic')
  const { id = 'anthropic', baseURL = anthropicBaseURL, models = defaultModels('anthropic') } = parsed
  const resolved = resolveHttpOptions({ ...parsed, id, baseURL, models }, 'anthropic')
  return httpProvider({ ...resolved, baseURL: resolved.baseURL.replace(/\/v1$/, ''), dialect: anthropicMessages })
}
