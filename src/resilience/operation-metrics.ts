/** What became of the calls of each operation, as counts: kept by whoever makes it, shared by all who are given it. */

export interface OperationFigures {
  readonly operation: string
  readonly calls: number
  /** Attempts of these calls, retries included. */
  readonly attempts: number
  readonly retries: number
  /** Attempts that succeeded and that failed; a refusal by a circuit is neither. */
  readonly successes: number
  readonly failures: number
  readonly refusals: number
  /** Time spent waiting before retries. */
  readonly totalDelayMs: number
  /** Successes among the attempts that have ended, 0 to 1; 1 while there is none. */
  readonly successRate: number
}

export interface OperationCounts {
  calls: number
  attempts: number
  retries: number
  successes: number
  failures: number
  refusals: number
  totalDelayMs: number
}

export interface OperationMetrics {
  /** The counts of an operation, to be added to; made when first asked for. */
  of(operation: string): OperationCounts
  /** In the order in which they were first asked for. */
  list(): readonly OperationFigures[]
}

export function createOperationMetrics(): OperationMetrics {
  const byOperation = new Map<string, OperationCounts>()
  return {
    of(operation) {
      const known = byOperation.get(operation)
      if (known) return known
      const counts = { calls: 0, attempts: 0, retries: 0, successes: 0, failures: 0, refusals: 0, totalDelayMs: 0 }
      byOperation.set(operation, counts)
      return counts
    },
    list: () => [...byOperation].map(([operation, counts]) => figuresOf(operation, counts)),
  }
}

export function figuresOf(operation: string, counts: OperationCounts): OperationFigures {
  const ended = counts.successes + counts.failures
  return { operation, ...counts, successRate: ended === 0 ? 1 : counts.successes / ended }
}
