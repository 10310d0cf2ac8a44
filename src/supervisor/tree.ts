/** What all supervisors of one tree share: time, chance, mail, and what is remembered of the tree as a whole. */
import type { Clock } from '../time/clock.ts'
import type { Random } from '../time/random.ts'
import { DeadLetterBox } from './dead-letters.ts'
import { DecisionLog } from './decisions.ts'
import type { ActorClock } from './incarnation.ts'
import { Mail } from './mail.ts'
import { RestartPacer } from './restart-pacer.ts'

export interface Tree {
  readonly clock: Clock
  readonly actorClock: ActorClock
  readonly random: Random
  readonly mail: Mail
  readonly deadLetters: DeadLetterBox
  readonly decisions: DecisionLog
  readonly pacer: RestartPacer
}

export function createTree(clock: Clock, random: Random): Tree {
  return {
    clock,
    actorClock: {
      setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs),
      clearTimeout: handle => clock.clearTimeout(handle),
    },
    random,
    mail: new Mail(),
    deadLetters: new DeadLetterBox(),
    decisions: new DecisionLog(),
    pacer: new RestartPacer(clock),
  }
}
