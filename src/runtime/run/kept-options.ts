/** The start options of a run that outlive the call: they are kept with the run, and `retry` and `resume` amend them. */
import type { ProfileOverrides } from '../../resilience/profile-overrides.ts'
import type { RunStatus } from '../../store/store.ts'
import type { Budget } from '../api.ts'
import type { Amendments } from './run-memory.ts'

export interface KeptOptions {
  readonly profile?: string | object | undefined
  readonly budget?: Budget | undefined
  readonly deadlineAt?: number | undefined
  /** When the `wallTime` of the budget is used up. */
  readonly wallTimeUntil?: number | undefined
  readonly priority?: number | undefined
  readonly cwd: string
  /** What the operator changed in every profile of this run. */
  readonly overrides?: ProfileOverrides | undefined
  readonly onParentClose?: 'cancel' | 'abandon' | undefined
  /** Set where the run was read from a bundle: it is looked at and forked, and never goes on. */
  readonly imported?: { readonly at: number; readonly status: RunStatus } | undefined
}

/** The start options of the run with what operators have changed of them since. */
export const amendedOptions = (options: KeptOptions, { budget }: Amendments): KeptOptions =>
  budget ? { ...options, budget: { ...options.budget, ...budget } } : options
