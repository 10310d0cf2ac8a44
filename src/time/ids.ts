/** Names for runs, made from an injected clock and chance: `code-review-20261123-142501-x7Jq02mB`. */
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

export interface Ids {
  /** A new run id, of the form `<workflow>-YYYYMMDD-HHMMSS-<8 letters and digits>` (UTC). */
  run(workflow: string): string
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export function createIds(clock: Clock, random: Random): Ids {
  return {
    run(workflow) {
      const [date, time] = new Date(clock.now()).toISOString().split('T') as [string, string]
      const stamp = `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}`
      let tail = ''
      for (let i = 0; i < 8; i++) tail += alphabet[Math.floor(random() * alphabet.length)]
      return `${workflow}-${stamp}-${tail}`
    },
  }
}
