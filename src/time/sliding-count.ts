/**
 * How many things happened within the last so many milliseconds, exactly, as JSON data that is never changed in place.
 * One whose age is exactly the period still counts. What is old goes with the next addition; an addition copies one
 * chunk and not the whole, so that it costs little also where thousands count.
 */
import { z } from 'zod'

export const slidingCountSchema = z.object({
  total: z.number(),
  /** Oldest first: when, and how many at that moment. */
  chunks: z.array(z.array(z.object({ at: z.number(), count: z.number() }))),
})

export type SlidingCount = z.infer<typeof slidingCountSchema>

const chunkSize = 32

export const emptySlidingCount: SlidingCount = { total: 0, chunks: [] }

/** Those that still count at `now`. */
export function countWithin({ total, chunks }: SlidingCount, now: number, periodMs: number): number {
  let count = total
  for (const chunk of chunks) {
    for (const entry of chunk) {
      if (now - entry.at <= periodMs) return count
      count -= entry.count
    }
  }
  return count
}

/** The same with one more at `now`, which is not before any that was added. */
export function withOneMore(counted: SlidingCount, now: number, periodMs: number): SlidingCount {
  const total = countWithin(counted, now, periodMs) + 1
  const chunks = withoutOld(counted.chunks, now - periodMs)
  const last = chunks.at(-1) ?? []
  const latest = last.at(-1)
  if (latest?.at === now) {
    chunks[chunks.length - 1] = last.with(-1, { at: now, count: latest.count + 1 })
  } else if (last.length > 0 && last.length < chunkSize) {
    chunks[chunks.length - 1] = last.concat({ at: now, count: 1 })
  } else {
    chunks.push([{ at: now, count: 1 }])
  }
  return { total, chunks }
}

function withoutOld(chunks: SlidingCount['chunks'], oldest: number): SlidingCount['chunks'] {
  let first = 0
  while (first < chunks.length && (chunks[first]?.at(-1)?.at ?? 0) < oldest) first++
  const kept = chunks.slice(first)
  const head = kept[0]
  if (head && (head[0]?.at ?? 0) < oldest) kept[0] = head.filter(entry => entry.at >= oldest)
  return kept
}
