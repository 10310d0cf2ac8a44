/**
 * The providers that the environment names, where a runtime is given none, and the keys that it has for those that are
 * made without one. A key goes to the host that it is for and to no other: a server of one's own gets it only where
 * `HOLDFAST_OPENAI_BASE_URL` says so.
 */
import { type ProviderEnvironment, readProviderEnvironment } from '../../config/environment.ts'
import { OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { type AnthropicOptions, anthropicBaseURL, anthropic as anthropicWith } from '../../providers/anthropic.ts'
import { defaultModels } from '../../providers/known-models.ts'
import { type ModelsOption, modelsSchema, offeredModels } from '../../providers/offered-models.ts'
import { offline } from '../../providers/offline.ts'
import {
  type OpenAiCompatibleOptions,
  openaiCompatible as openaiCompatibleWith,
} from '../../providers/openai-compatible.ts'
import type { Model, Provider } from '../../providers/provider.ts'
import type { Clock } from '../../time/clock.ts'

const openaiBaseURL = 'https://api.openai.com/v1'

/**
 * OpenAI where there is a key or a server, Anthropic where there is a key, and always the offline provider, in this
 * order.
 * @throws OptionsError where what the environment says is no address or no key
 */
export function providersFromEnvironment(
  clock: Clock,
  environment: ProviderEnvironment = readProviderEnvironment(),
): readonly Provider[] {
  const { openaiKey, openaiBaseURL: baseURL, openaiModels, anthropicKey } = environment
  const models = openaiModels === undefined ? defaultModels('openai') : modelsNamed(openaiModels)
  if (baseURL !== undefined && !/^https?:$/.test(URL.canParse(baseURL) ? new URL(baseURL).protocol : '')) {
    throw new OptionsError('HOLDFAST_OPENAI_BASE_URL must be an address such as http://localhost:11434/v1')
  }
  return [
    ...(openaiKey === undefined && baseURL === undefined
      ? []
      : [openaiCompatibleWith({ id: 'openai', baseURL: baseURL ?? openaiBaseURL, models, apiKey: openaiKey, clock })]),
    ...(anthropicKey === undefined ? [] : [anthropicWith({ apiKey: anthropicKey, clock })]),
    offline(),
  ]
}

const modelsVariable = 'HOLDFAST_OPENAI_MODELS'

/** Names with commas between them, or as JSON what `openaiCompatible({ models })` takes. */
function modelsNamed(text: string): readonly Model[] {
  const given = /^[[{]/.test(text) ? fromJson(text) : text.split(',').flatMap(name => name.trim() || [])
  return offeredModels(parseOptions(modelsSchema, given, modelsVariable) as ModelsOption, 'openai', modelsVariable)
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new OptionsError(
      `${modelsVariable} must be names with commas between them, or JSON such as [{"id":"llama3.2","tier":"cheap"}]`,
      {},
      { cause: error },
    )
  }
}

/** As below, with `OPENAI_API_KEY` for OpenAI's own host where no key is given. */
export function openaiCompatible(options: OpenAiCompatibleOptions): Provider {
  const isOpenai = options?.apiKey === undefined && hostOf(options?.baseURL) === hostOf(openaiBaseURL)
  const apiKey = isOpenai ? readProviderEnvironment().openaiKey : undefined
  return openaiCompatibleWith(apiKey === undefined ? options : { ...options, apiKey })
}

/** As below, with `ANTHROPIC_API_KEY` for Anthropic's own host where no key is given. */
export function anthropic(options: AnthropicOptions = {}): Provider {
  const baseURL = options?.baseURL ?? anthropicBaseURL
  const isAnthropic = options?.apiKey === undefined && hostOf(baseURL) === hostOf(anthropicBaseURL)
  const apiKey = isAnthropic ? readProviderEnvironment().anthropicKey : undefined
  return anthropicWith(apiKey === undefined ? options : { ...options, apiKey })
}

const hostOf = (url: unknown): string | undefined =>
  typeof url === 'string' && URL.canParse(url) ? new URL(url).host : undefined
