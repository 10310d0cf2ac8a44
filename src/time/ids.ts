/** Names for runs, made from an injected clock and chance: `code-review-20261123-142501-x7Jq02mB`. */
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

export interface Ids {
  /** A new run id, of the form `<workflow>-YYYYMMDD-HHMMSS-<8 letters and digits>` (UTC). */
  run(workflow: string): string
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export function createIds(clock: Clock, random: Random): Ids {
  /** Of the last second that was asked for: a busy process starts many runs in one. */
  let known = { second: Number.NaN, stamp: '' }
  const stampAt = (now: number): string => {
    const second = Math.floor(now / 1000)
    if (second !== known.second) known = { second, stamp: stampOf(now) }
    return known.stamp
  }
  return {
    run(workflow) {
      const stamp = stampAt(clock.now())
      let tail = ''
      for (let i = 0; i < 8; i++) tail += alphabet[Math.floor(random() * alphabet.length)]
      return `${workflow}-${stamp}-${tail}`
    },
  }
}

function stampOf(now: number): string {
  const [date, time] = new Date(now).toISOString().split('T') as [string, string]
  return `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}`
}
