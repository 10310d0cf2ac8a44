/**
 * Group commit. A run that has changed marks itself dirty; when the ready queue is empty, or enough runs are dirty, all
 * of them are written in one transaction. A batch is what became ready while the previous one was being written; no
 * timer delays a lone commit. Effects wait for their commit. After a failed commit nothing more is written or released:
 * what the store holds is then the truth, and memory is thrown away.
 */
import type { RunWrite, Store } from '../../store/store.ts'

/** Something whose state goes into the store: a run. */
export interface Committable {
  /** What changed since the last call; undefined when nothing did. */
  takeWrite(): RunWrite | undefined
  /** The write that was taken last is durable. */
  committed(): void
}

export interface CommitPipeline {
  /** `target` has something to write. */
  mark(target: Committable): void
  /** Whether `target` has something that no commit has taken yet. */
  isMarked(target: Committable): boolean
  /** Resolves when everything that was marked until now is durable, or rejects as the store failed. */
  durable(): Promise<void>
  /** The same with what is marked meanwhile: under load that may never be. */
  settled(): Promise<void>
  readonly failure: unknown
}

export interface CommitPipelineOptions {
  readonly store: Store
  readonly epoch: number
  readonly onFailure: (error: unknown) => void
  /** Runs a function in a turn of its own. */
  readonly defer: (work: () => void) => void
  /** Whether nothing else is ready at the moment: a batch waits for what is. */
  readonly isIdle: () => boolean
}

interface Waiter {
  /** The number of the batch that it waits for. */
  readonly batch: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Dirty runs that are written at once even though more is ready. */
const largestBatch = 256
/**
 * The same where the store commits aside. Were all that is ready gathered there, too, every run would be in the one batch:
 * the writer would wait for this thread, and this thread for the writer, and one of them would always stand still.
 */
const largestBatchAside = 32
/** Turns of the event loop that a batch waits for what is ready, at most. */
const longestWaitTurns = 8

export function createCommitPipeline(options: CommitPipelineOptions): CommitPipeline {
  let dirty = new Set<Committable>()
  let writing = false
  let scheduled = false
  let failure: unknown
  /** Batches whose writing has begun; that of the last one goes on while `writing`. */
  let begun = 0
  let waiting: Waiter[] = []

  const settleWaiting = (): void => {
    const written = writing ? begun - 1 : begun
    const isSettled = !writing && dirty.size === 0
    const isDone = ({ batch }: Waiter): boolean => failure !== undefined || isSettled || batch <= written
    const done = waiting.filter(isDone)
    if (done.length === 0) return
    waiting = waiting.filter(waiter => !isDone(waiter))
    for (const { resolve, reject } of done) failure === undefined ? resolve() : reject(failure)
  }

  /** Resolves when that batch is durable, or, sooner, when nothing is left to write. */
  const until = (batch: number): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ batch, resolve, reject })
      if (failure === undefined && dirty.size > 0) schedule()
      else settleWaiting()
    })

  const flush = async (): Promise<void> => {
    if (writing || failure !== undefined || dirty.size === 0) return settleWaiting()
    writing = true
    begun++
    const batch = dirty
    dirty = new Set()
    const writes: RunWrite[] = []
    const written: Committable[] = []
    try {
      for (const target of batch) {
        const write = target.takeWrite()
        if (!write) continue
        writes.push(write)
        written.push(target)
      }
      if (writes.length > 0) await options.store.commit(options.epoch, writes)
    } catch (error) {
      failure = error ?? new Error('the store failed without saying why')
      writing = false
      settleWaiting()
      options.onFailure(failure)
      return
    }
    writing = false
    // What became dirty meanwhile is the next batch, and its commit begins before what this one sets off. Aside, a few
    // wait for others that are ready, since both threads have work and each commit costs both of them a message.
    const mayBegin = dirty.size > 0 && (!isAside() || options.isIdle() || isFull())
    for (const target of written) target.committed()
    if (mayBegin) void flush()
    else if (dirty.size > 0) schedule()
    settleWaiting()
  }

  const isAside = (): boolean => options.store.commitsAside?.() ?? false
  const isFull = (): boolean => dirty.size >= (isAside() ? largestBatchAside : largestBatch)

  const schedule = (turnsWaited = 0): void => {
    if (turnsWaited === 0 && (scheduled || writing)) return
    scheduled = true
    options.defer(() => {
      if (!options.isIdle() && !isFull() && turnsWaited < longestWaitTurns) return schedule(turnsWaited + 1)
      scheduled = false
      void flush()
    })
  }

  return {
    mark(target) {
      if (failure !== undefined) return
      dirty.add(target)
      schedule()
    },
    isMarked: target => dirty.has(target),
    durable: () => until(dirty.size > 0 ? begun + 1 : begun),
    settled: () => until(Number.POSITIVE_INFINITY),
    get failure() {
      return failure
    },
  }
}
