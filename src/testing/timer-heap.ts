/** Timers in the order in which they fall due, and of the same time in that of their creation. A binary heap. */

export interface HeapTimer {
  readonly dueAt: number
  readonly order: number
  readonly callback: () => void
  /** Removed; it stays in the heap until it comes to the top. */
  over: boolean
}

export class TimerHeap {
  readonly #heap: HeapTimer[] = []
  #order = 0
  #size = 0

  /** How many have been added and not removed. */
  get size(): number {
    return this.#size
  }

  /** How many have been added in all; the next one has this as its `order`. */
  get added(): number {
    return this.#order
  }

  add(dueAt: number, callback: () => void): HeapTimer {
    const timer: HeapTimer = { dueAt, order: this.#order++, callback, over: false }
    push(this.#heap, timer)
    this.#size++
    return timer
  }

  /** The one that is due first; it stays. */
  next(): HeapTimer | undefined {
    while (this.#heap[0]?.over) popTop(this.#heap)
    return this.#heap[0]
  }

  remove(timer: HeapTimer): void {
    if (timer.over) return
    timer.over = true
    this.#size--
  }
}

const isBefore = (a: HeapTimer, b: HeapTimer): boolean =>
  a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order)

function push(heap: HeapTimer[], timer: HeapTimer): void {
  let index = heap.length
  heap.push(timer)
  while (index > 0) {
    const above = (index - 1) >> 1
    const parent = heap[above] as HeapTimer
    if (!isBefore(timer, parent)) break
    heap[index] = parent
    index = above
  }
  heap[index] = timer
}

function popTop(heap: HeapTimer[]): void {
  const moved = heap.pop()
  if (!moved || heap.length === 0) return
  let index = 0
  for (;;) {
    const left = 2 * index + 1
    const leftTimer = heap[left]
    if (!leftTimer) break
    const rightTimer = heap[left + 1]
    const goesRight = rightTimer !== undefined && isBefore(rightTimer, leftTimer)
    const smallest = goesRight ? rightTimer : leftTimer
    if (!isBefore(smallest, moved)) break
    heap[index] = smallest
    index = goesRight ? left + 1 : left
  }
  heap[index] = moved
}
