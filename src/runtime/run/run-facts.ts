/** What the parts of a run that is alive tell each other of it: facts without behaviour, and what a child run answers to. */
import type { EncodedError } from '../../errors.ts'
import type { RunResult } from '../api.ts'
import type { OpenMap } from './run-memory.ts'

/** Why a run came to a bad end, kept until the flow has ended. */
export interface RunFailure {
  readonly status: 'failed' | 'quarantined' | 'budget_exceeded' | 'cancelled'
  readonly error: EncodedError
  readonly stage?: string | undefined
  readonly attempt?: number | undefined
}

/** Which part of a run a journal row is about. */
export interface Where {
  readonly stage?: string | undefined
  readonly attempt?: number | undefined
  readonly incarnation?: number | undefined
}

/** What a run that does not work waits for. */
export interface Waiting {
  readonly stage?: string | undefined
  readonly kind: 'signal' | 'sleep' | 'child' | 'event' | 'definition' | 'cause'
  /** The signal's name, the child's id, the workflow whose definition is missing, or the kind of failure that is to pass. */
  readonly name?: string | undefined
  /** The step or call whose outcome an operator is asked about. */
  readonly about?: string | undefined
  readonly until?: number | undefined
}

/** How a question of a function was answered. */
export interface Answer {
  readonly value?: unknown
  readonly error?: Error | undefined
}

/** Which item of a map this is. */
export interface ItemPlace {
  readonly map: OpenMap
  readonly index: number
}

export interface ChildOptions {
  readonly onParentClose: 'cancel' | 'abandon'
  readonly budget?: object | undefined
}

export interface ChildHandle {
  result(): Promise<RunResult>
  signal(name: string, payload?: unknown): Promise<void>
  cancel(reason?: string): Promise<void>
}

export interface PreflightReport {
  /** No critical monitor found a fault. */
  readonly healthy: boolean
  readonly monitors: readonly {
    readonly name: string
    readonly critical: boolean
    readonly healthy: boolean
    readonly message: string
  }[]
}
