/** A provider with a mood for every moment, for tests of outages: it charges for what it answers, and notes what it met. */
import type { CallContext, ModelAnswer, Provider } from '../../src/providers/provider.ts'
import type { Clock } from '../../src/time/clock.ts'
import { seededRandom } from '../../src/time/random.ts'

export type Mood = 'well' | 'overloaded' | 'dead' | 'silent' | 'limited' | 'broken'

export interface MoodyProvider extends Provider {
  /** When it was asked while it was dead or silent, and how its circuit stood then. */
  readonly metWhileDown: { readonly at: number; readonly circuit: string }[]
  /** USD that it has asked for. */
  charged: number
}

export interface MoodyOptions {
  readonly id: string
  readonly clock: Clock
  /** By the clock. */
  readonly mood: (at: number) => Mood
  /** How the circuit of the provider stands. */
  readonly circuit: (id: string) => string
}

export const moodyPrice = { inputUsdPerMTok: 1, outputUsdPerMTok: 10 }
export const mostOutputTokens = 100

export function moodyProvider({ id, clock, mood, circuit }: MoodyOptions): MoodyProvider {
  const random = seededRandom(id.charCodeAt(0))
  const wait = (ms: number, { signal }: CallContext): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        clock.clearTimeout(timer)
        reject(signal.reason)
      }
      const timer = clock.setTimeout(() => {
        signal.removeEventListener('abort', stop)
        resolve()
      }, ms)
      signal.addEventListener('abort', stop, { once: true })
    })
  const provider: MoodyProvider = {
    id,
    models: [{ id: 'm', tier: 'capable', price: moodyPrice }],
    metWhileDown: [],
    charged: 0,
    async generate(_request, context): Promise<ModelAnswer> {
      const now = mood(clock.now())
      if (now === 'dead' || now === 'silent') provider.metWhileDown.push({ at: clock.now(), circuit: circuit(id) })
      await wait(20 + random() * 400, context)
      if (now === 'overloaded') throw Object.assign(new Error('overloaded'), { status: 529 })
      if (now === 'dead') throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      if (now === 'silent') await wait(3_600_000, context)
      if (now === 'limited')
        throw Object.assign(new Error('slow down'), { status: 429, headers: { 'retry-after': '7' } })
      const usage = { inputTokens: 3, outputTokens: Math.ceil(random() * mostOutputTokens) }
      provider.charged += (usage.inputTokens + usage.outputTokens * 10) / 1_000_000
      return { text: now === 'broken' ? 'no json' : '{"ok":true}', usage }
    },
  }
  return provider
}

/** Three providers, each with outages of its own within a minute; there is a while in which none of them is well. */
export const outages: Readonly<Record<string, (at: number) => Mood>> = {
  a: at => (within(at, 4, 30) ? 'dead' : within(at, 40, 44) ? 'limited' : 'well'),
  b: at => (within(at, 10, 20) ? 'overloaded' : within(at, 34, 36) ? 'broken' : 'well'),
  c: at => (within(at, 14, 24) ? 'silent' : within(at, 26, 28) ? 'limited' : 'well'),
}

const within = (at: number, fromSeconds: number, toSeconds: number): boolean =>
  at >= fromSeconds * 1000 && at < toSeconds * 1000
