/**
 * What a circuit knows of its last calls: a pure reducer, a plain JSON value in and a new one out, with no clock, actor
 * or timer. Consecutive failures are always counted. A window of calls keeps the outcome of each of the last N; a window
 * of time counts by tenths of its length and forgets a tenth at a time.
 */
import { z } from 'zod'

/** How a window is kept, and what it opens the circuit for: plain JSON. */
export interface WindowRules {
  readonly kind: 'calls' | 'time'
  /** How many calls, or how many ms. */
  readonly size: number
  /** Below so many calls in the window nothing is judged. */
  readonly minimumCalls: number
  /** The share of failed calls that opens the circuit, above 0 to 1. */
  readonly failureRatio?: number | undefined
  /** The share of slow calls that opens the circuit, above 0 to 1, and from when on a call is slow. */
  readonly slow?: { readonly ratio: number; readonly afterMs: number } | undefined
}

/** What opens a circuit. */
export interface OpeningRules {
  /** Consecutive failures that open it. */
  readonly failureThreshold: number
  readonly window?: WindowRules | undefined
}

export interface WindowCall {
  readonly at: number
  readonly failed: boolean
  readonly slow: boolean
}

export interface WindowTally {
  readonly calls: number
  readonly failures: number
  readonly slow: number
}

const bucket = z.object({ slot: z.int(), calls: z.int(), failures: z.int(), slow: z.int() })

/** JSON data. Of the two kinds of window only one is filled: outcomes of 2 bits, 15 to a number, or counts by slot of time. */
export const callWindow = z.object({
  /** Failures since the last success. */
  consecutive: z.int().min(0),
  outcomes: z.array(z.int().min(0).max(0x3fffffff)).max(67),
  /** Where the next outcome goes, and how many there are. */
  next: z.int().min(0),
  held: z.int().min(0),
  buckets: z.array(bucket).max(11),
})

export type CallWindow = z.infer<typeof callWindow>

export const emptyWindow: CallWindow = { consecutive: 0, outcomes: [], next: 0, held: 0, buckets: [] }

/** The largest window of calls, so that a circuit stays small. */
export const mostWindowCalls = 1000

const outcomesInNumber = 15
const slotsInWindow = 10
const failedBit = 1
const slowBit = 2

export type OpeningReason = 'failures' | 'failure ratio' | 'slow calls'

/** The window after one more call. */
export function windowAfter(window: CallWindow, call: WindowCall, { window: rules }: OpeningRules): CallWindow {
  const consecutive = call.failed ? window.consecutive + 1 : 0
  if (rules === undefined) return { ...emptyWindow, consecutive }
  const held = rules.kind === 'calls' ? afterCounted(window, call, rules.size) : afterTimed(window, call, rules.size)
  return { ...held, consecutive }
}

/** What the window holds at a time. */
export function windowTally(window: CallWindow, at: number, rules: WindowRules): WindowTally {
  return rules.kind === 'calls' ? tallyOutcomes(window) : tallyBuckets(currentBuckets(window, at, rules.size))
}

/** Why what is known of the calls speaks for opening, if it does. */
export function windowVerdict(window: CallWindow, at: number, rules: OpeningRules): OpeningReason | undefined {
  if (window.consecutive >= rules.failureThreshold) return 'failures'
  if (rules.window === undefined) return undefined
  const { minimumCalls, failureRatio, slow } = rules.window
  const tally = windowTally(window, at, rules.window)
  if (tally.calls < minimumCalls) return undefined
  if (failureRatio !== undefined && tally.failures / tally.calls >= failureRatio) return 'failure ratio'
  if (slow !== undefined && tally.slow / tally.calls >= slow.ratio) return 'slow calls'
  return undefined
}

type Held = Omit<CallWindow, 'consecutive'>

function afterCounted(window: CallWindow, call: WindowCall, size: number): Held {
  const outcomes = window.outcomes.slice()
  const index = Math.floor(window.next / outcomesInNumber)
  const shift = (window.next % outcomesInNumber) * 2
  const outcome = (call.failed ? failedBit : 0) | (call.slow ? slowBit : 0)
  outcomes[index] = ((outcomes[index] ?? 0) & ~(3 << shift)) | (outcome << shift)
  const next = (window.next + 1) % size
  return { outcomes, next, held: Math.min(size, window.held + 1), buckets: [] }
}

function tallyOutcomes({ outcomes, held }: CallWindow): WindowTally {
  let failures = 0
  let slow = 0
  // The bits of outcomes that are not there yet are 0.
  for (const packed of outcomes) {
    failures += bitsIn(packed & 0x15555555)
    slow += bitsIn(packed & 0x2aaaaaaa)
  }
  return { calls: held, failures, slow }
}

function bitsIn(packed: number): number {
  let bits = 0
  for (let rest = packed; rest !== 0; rest &= rest - 1) bits++
  return bits
}

function afterTimed(window: CallWindow, call: WindowCall, sizeMs: number): Held {
  const buckets = currentBuckets(window, call.at, sizeMs)
  const slot = slotOf(call.at, sizeMs)
  const last = buckets.at(-1)
  const current = last?.slot === slot ? last : { slot, calls: 0, failures: 0, slow: 0 }
  const counted = {
    slot,
    calls: current.calls + 1,
    failures: current.failures + (call.failed ? 1 : 0),
    slow: current.slow + (call.slow ? 1 : 0),
  }
  const before = current === last ? buckets.slice(0, -1) : buckets
  return { ...emptyWindow, buckets: [...before, counted] }
}

/** The buckets that are not too old. Where the clock was set back, no time has passed: they move back with it. */
function currentBuckets(window: CallWindow, at: number, sizeMs: number): CallWindow['buckets'] {
  const now = slotOf(at, sizeMs)
  const ahead = Math.max(0, (window.buckets.at(-1)?.slot ?? now) - now)
  const moved = ahead === 0 ? window.buckets : window.buckets.map(one => ({ ...one, slot: one.slot - ahead }))
  return moved.filter(({ slot }) => slot > now - slotsInWindow)
}

const slotOf = (at: number, sizeMs: number): number => Math.floor((at * slotsInWindow) / sizeMs)

function tallyBuckets(buckets: CallWindow['buckets']): WindowTally {
  let calls = 0
  let failures = 0
  let slow = 0
  for (const one of buckets) {
    calls += one.calls
    failures += one.failures
    slow += one.slow
  }
  return { calls, failures, slow }
}
