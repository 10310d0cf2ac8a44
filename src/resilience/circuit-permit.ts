/**
 * The right to make one call, as a circuit gives it: it tells the circuit how the call ended, once, with the period and
 * the probe that it began in.
 */
import type { CircuitPermit } from './circuit.ts'

/** How a call ended, as its permit tells it. */
export type PermitOutcome = 'success' | 'failure' | 'release'

/** Whoever gave the permit, and counts the call. */
export interface PermitGiver {
  settle(outcome: PermitOutcome, period: number, probe: number, startedAt: number): void
}

export class CallPermit implements CircuitPermit {
  #circuit: PermitGiver | undefined
  readonly #period: number
  readonly #probe: number
  readonly #startedAt: number

  /** @param probe its number, or 0 for a call through a closed circuit */
  constructor(circuit: PermitGiver, period: number, probe: number, startedAt: number) {
    this.#circuit = circuit
    this.#period = period
    this.#probe = probe
    this.#startedAt = startedAt
  }

  success(): void {
    this.#end('success')
  }

  failure(): void {
    this.#end('failure')
  }

  release(): void {
    this.#end('release')
  }

  #end(outcome: PermitOutcome): void {
    const circuit = this.#circuit
    this.#circuit = undefined
    circuit?.settle(outcome, this.#period, this.#probe, this.#startedAt)
  }
}
