/**
 * Answers that were given before, for when nobody can be asked: the last resort where a profile allows it. What is kept
 * is bounded in number and age. A cache that fails has nothing, and fails no call.
 */
import type { ModelAnswer, ModelRequest, Tier } from '../providers/provider.ts'
import type { Clock } from '../time/clock.ts'

export interface CachedAnswer {
  readonly answer: ModelAnswer
  readonly provider: string
  readonly model: string
  readonly tier: Tier
}

export interface ResponseCache {
  /** An answer to the very same question that is not too old. Never throws. */
  get(request: ModelRequest): CachedAnswer | undefined
  /** Never throws. */
  put(request: ModelRequest, answer: CachedAnswer): void
  close(): void
}

/** What of a request makes it the same question: who is asked does not. */
export function questionOf({ task, messages, schema, tools, maxOutputTokens, temperature }: ModelRequest): string {
  return JSON.stringify([task, messages, schema, tools, maxOutputTokens, temperature])
}

export const cacheLimits = {
  /** An answer is kept for a day. */
  keptMs: 86_400_000,
  /** So many, those that were not asked for the longest go first. */
  entries: 2000,
  /** A longer one is not kept. */
  characters: 1_000_000,
} as const

/** The cache of a runtime that has no file. */
export function memoryCache(clock: Clock): ResponseCache {
  const kept = new Map<string, { readonly at: number; readonly text: string }>()
  return {
    get(request) {
      const question = questionOf(request)
      const found = kept.get(question)
      if (found === undefined || clock.now() - found.at > cacheLimits.keptMs) return undefined
      kept.delete(question)
      kept.set(question, found)
      return JSON.parse(found.text) as CachedAnswer
    },
    put(request, answer) {
      const text = JSON.stringify(answer)
      if (text.length > cacheLimits.characters) return
      const question = questionOf(request)
      kept.delete(question)
      kept.set(question, { at: clock.now(), text })
      for (const oldest of kept.keys()) {
        if (kept.size <= cacheLimits.entries) break
        kept.delete(oldest)
      }
    },
    close: () => kept.clear(),
  }
}
