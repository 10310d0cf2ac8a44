/**
 * Client-side limits of a provider: calls under way at once, and calls and tokens a minute. Who comes over a limit waits
 * in line, first come, first served, until there is room or his signal aborts. Tokens are estimated before a call and
 * put right after it. A call that is larger than the whole limit goes when nothing else counts against it.
 */
import { z } from 'zod'
import type { Clock, TimerHandle } from '../time/clock.ts'

export interface ProviderLimits {
  /** Calls under way at once. @default none */
  readonly concurrency?: number | undefined
  /** Calls begun within any 60 s. @default none */
  readonly requestsPerMinute?: number | undefined
  /** Tokens in and out within any 60 s. @default none */
  readonly tokensPerMinute?: number | undefined
}

export const limitsSchema = z.strictObject({
  concurrency: z.int().min(1).optional(),
  requestsPerMinute: z.number().positive().optional(),
  tokensPerMinute: z.number().positive().optional(),
})

/** The right to make one call. */
export interface LimitPermit {
  /** Gives it back. @param tokens what the call used; absent: what was estimated */
  release(tokens?: number): void
}

export interface Limiter {
  /** Waits for room. @throws the signal's reason as soon as it aborts */
  acquire(estimatedTokens: number, signal: AbortSignal): Promise<LimitPermit>
  /** Calls in line. */
  readonly waiting: number
}

const windowMs = 60_000

interface Begun {
  readonly at: number
  tokens: number
}

interface Waiting {
  readonly tokens: number
  admit(permit: LimitPermit): void
}

export function createLimiter(limits: ProviderLimits, clock: Clock): Limiter {
  const none = Number.POSITIVE_INFINITY
  const { concurrency = none, requestsPerMinute = none, tokensPerMinute = none } = limits
  const line: Waiting[] = []
  let begun: Begun[] = []
  let underWay = 0
  let timer: TimerHandle

  const counted = requestsPerMinute !== none || tokensPerMinute !== none

  /** Ms until the next in line has room: 0 is now, undefined only after a call under way has ended. */
  const waitMs = (tokens: number): number | undefined => {
    if (underWay >= concurrency) return undefined
    const now = clock.now()
    begun = begun.filter(({ at }) => now - at < windowMs)
    let requests = begun.length
    let used = begun.reduce((sum, call) => sum + call.tokens, 0)
    const fits = (): boolean =>
      requests === 0 || (requests + 1 <= requestsPerMinute && (used === 0 || used + tokens <= tokensPerMinute))
    if (fits()) return 0
    for (const call of begun) {
      requests--
      used -= call.tokens
      if (fits()) return Math.max(1, call.at + windowMs - now)
    }
    return windowMs
  }

  const begin = (tokens: number): LimitPermit => {
    const call: Begun = { at: clock.now(), tokens }
    if (counted) begun.push(call)
    underWay++
    let held = true
    return {
      release(actual) {
        if (!held) return
        held = false
        underWay--
        if (actual !== undefined && Number.isFinite(actual) && actual >= 0) call.tokens = actual
        admitNext()
      },
    }
  }

  function admitNext(): void {
    clock.clearTimeout(timer)
    for (let next = line[0]; next !== undefined; next = line[0]) {
      const ms = waitMs(next.tokens)
      if (ms === undefined) return
      if (ms > 0) {
        timer = clock.setTimeout(admitNext, ms)
        return
      }
      line.shift()
      next.admit(begin(next.tokens))
    }
  }

  return {
    get waiting() {
      return line.length
    },
    async acquire(tokens, signal) {
      signal.throwIfAborted()
      if (line.length === 0 && waitMs(tokens) === 0) return begin(tokens)
      return new Promise<LimitPermit>((resolve, reject) => {
        const waiting: Waiting = {
          tokens,
          admit(permit) {
            signal.removeEventListener('abort', leave)
            resolve(permit)
          },
        }
        const leave = (): void => {
          line.splice(line.indexOf(waiting), 1)
          reject(signal.reason)
          admitNext()
        }
        signal.addEventListener('abort', leave, { once: true })
        line.push(waiting)
        admitNext()
      })
    },
  }
}
