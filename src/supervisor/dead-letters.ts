/**
 * Mail that nobody took, kept to be looked at: listed, sent again or discarded. The last thousand of a tree are kept; how
 * many went before somebody looked is counted. A letter that is sent again is new mail.
 */
import type { EventObject } from 'xstate'
import { SupervisorError } from '../errors.ts'
import type { DeadLetterReason } from './mail.ts'

/** The most letters of one tree that are kept; the oldest go first. */
const letterLimit = 1000

export interface DeadLetter {
  /** Its number: the first of the tree is 1. */
  readonly number: number
  /** The child's path from the root: `inner/a`. */
  readonly path: string
  /** The incarnation it was meant for, or the last one before. */
  readonly incarnation: number
  readonly event: EventObject
  readonly reason: DeadLetterReason
  /** When it was given up, ms. */
  readonly at: number
}

/** The dead letters of a whole tree of supervisors. */
export interface DeadLetters {
  /** Those that are kept, the oldest first. */
  list(): DeadLetter[]
  /** How many went because too many came. */
  readonly dropped: number
  /** Sends it once more, to whoever is at its path now. @throws SupervisorError `not_found` */
  resend(number: number): void
  /** Forgets it. @throws SupervisorError `not_found` */
  discard(number: number): void
}

/** Letters by number, in the order in which they came. */
export class DeadLetterBox {
  readonly #letters = new Map<number, DeadLetter>()
  #last = 0
  #dropped = 0

  get dropped(): number {
    return this.#dropped
  }

  list(): DeadLetter[] {
    return [...this.#letters.values()]
  }

  keep(letter: Omit<DeadLetter, 'number'>): void {
    const number = ++this.#last
    this.#letters.set(number, { number, ...letter })
    if (this.#letters.size <= letterLimit) return
    const [oldest] = this.#letters.keys()
    if (oldest !== undefined) this.#letters.delete(oldest)
    this.#dropped++
  }

  find(number: number): DeadLetter {
    const letter = this.#letters.get(number)
    if (letter) return letter
    throw new SupervisorError('not_found', `there is no dead letter ${number}`, { number })
  }

  forget(number: number): DeadLetter {
    const letter = this.find(number)
    this.#letters.delete(number)
    return letter
  }
}
