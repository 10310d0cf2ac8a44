/**
 * The options that all providers over HTTP share, with their defaults, parsed once. `fetch` and `clock` are for tests
 * and for those who bring a connection of their own.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type ApiKey, createApiKeys } from './api-keys.ts'
import type { Fetch, HttpProviderOptions } from './http-provider.ts'
import { limitsSchema, type ProviderLimits } from './limits.ts'
import { type ModelsOption, modelsSchema, offeredModels } from './offered-models.ts'

export interface HttpOptions {
  /** The key, a list of keys, or a function that gives the key of the moment. Never shown in an error or a log. */
  readonly apiKey?: ApiKey | undefined
  /** Held on this side: who comes over a limit waits in line. @default none */
  readonly limits?: ProviderLimits | undefined
  /** Sent with every request. @default {} */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long a stream may take to its first piece, and between two of them. @default 30s and 30s */
  readonly timeouts?: { readonly firstToken?: Duration | undefined; readonly stall?: Duration | undefined } | undefined
  /** @default the global one */
  readonly fetch?: Fetch | undefined
  /** @default the system clock */
  readonly clock?: Clock | undefined
}

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
  error: "must be milliseconds or a text such as '30s'",
})

/** The fields of a strict options object. */
export const httpFields = {
  id: z.string().min(1).max(100),
  baseURL: z.string(),
  models: modelsSchema,
  apiKey: z
    .custom<ApiKey>(value => typeof value === 'string' || typeof value === 'function' || Array.isArray(value), {
      error: 'must be a text, a list of texts or a function',
    })
    .optional(),
  limits: limitsSchema.optional(),
  headers: z.record(z.string(), z.string()).optional(),
  timeouts: z.strictObject({ firstToken: duration.optional(), stall: duration.optional() }).optional(),
  fetch: z.custom<Fetch>(value => typeof value === 'function', { error: 'must be a function' }).optional(),
  clock: z
    .custom<Clock>(value => typeof (value as Clock | null)?.setTimeout === 'function', { error: 'must be a clock' })
    .optional(),
}

interface ParsedOptions extends HttpOptions {
  readonly id: string
  readonly baseURL: string
  readonly models: ModelsOption
}

const stallMs = 30_000

/** @throws OptionsError for a base URL that is none, a key that is none, or a model that is there twice */
export function resolveHttpOptions(options: ParsedOptions, where: string): Omit<HttpProviderOptions, 'dialect'> {
  const { id, timeouts, clock = systemClock } = options
  return {
    id,
    baseURL: baseOf(options.baseURL, where),
    models: offeredModels(options.models, id, where),
    keys: createApiKeys(options.apiKey, where),
    headers: options.headers ?? {},
    limits: options.limits ?? {},
    streamLimits: {
      firstTokenMs: toMs(timeouts?.firstToken ?? stallMs, `${where}: timeouts.firstToken`),
      stallMs: toMs(timeouts?.stall ?? stallMs, `${where}: timeouts.stall`),
    },
    clock,
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
  }
}

function baseOf(given: string, where: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new OptionsError(`${where}: baseURL must be an address such as 'https://api.example.com/v1'`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new OptionsError(`${where}: baseURL must not carry a user or a password; give apiKey or headers`)
  }
  return given.replace(/[?#].*$/s, '').replace(/\/+$/, '')
}
