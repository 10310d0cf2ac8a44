/**
 * The one queue of what is ready to go on: settled attempts, timers that came due, acknowledged commits. It is emptied
 * in slices, one a turn of the event loop, so that a thousand completions at once starve neither timers nor I/O; and
 * since everything passes here, a simulator can choose the order.
 */

export interface ReadyQueue {
  push(work: () => void): void
  /** Whether nothing is ready. */
  readonly idle: boolean
}

export interface ReadyQueueOptions {
  /** Runs a function in a turn of its own; by default `setImmediate`. */
  readonly defer: (work: () => void) => void
  /** Told what escaped from a piece of work; such a failure is a defect of ours and never of a user's function. */
  readonly onDefect: (error: unknown) => void
}

/** Pieces of work in one turn: 16 to 32 keep the delay of the event loop low without paying a turn for each. */
const slice = 32

const done = (): void => {}

export function createReadyQueue(options: ReadyQueueOptions): ReadyQueue {
  let queue: (() => void)[] = []
  let head = 0
  let scheduled = false

  const drain = (): void => {
    scheduled = false
    const end = Math.min(queue.length, head + slice)
    while (head < end) {
      const work = queue[head] as () => void
      // Let go of at once: in a queue that is seldom empty it would keep the stage that it was about for long.
      queue[head++] = done
      try {
        work()
      } catch (error) {
        options.onDefect(error)
      }
    }
    if (head === queue.length) {
      queue = []
      head = 0
    } else if (head > 1024) {
      queue = queue.slice(head)
      head = 0
    }
    if (queue.length > head) schedule()
  }

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    options.defer(drain)
  }

  return {
    push(work) {
      queue.push(work)
      schedule()
    },
    get idle() {
      return head === queue.length
    },
  }
}
