/**
 * Matchers for Vitest: `expect.extend(machineMatchers)`, once in a setup file or a test. They say what `checkMachine`
 * and `coverageOf` say, as assertions; the message of a failure is the whole report with the trace that breaks it.
 */
// Only what it declares is added to; without it TypeScript knows no module to add to.
import type {} from 'vitest'
import type { AnyStateMachine } from 'xstate'
import { checkMachine } from './check-machine.ts'
import type { CheckOptions } from './check-options.ts'
import { type Coverage, coverageOf } from './coverage.ts'
import type { Trace } from './trace.ts'

interface Verdict {
  readonly pass: boolean
  readonly message: () => string
}

export interface MachineMatchers {
  /** No walk of the machine breaks an invariant, and a crash at any time changes nothing. */
  toHoldInvariants(invariants?: CheckOptions['invariants'], options?: Omit<CheckOptions, 'invariants'>): void
  /** The traces, all together, enter every state and take every transition of the machine. */
  toBeCoveredBy(traces: readonly Trace[], options?: { readonly input?: unknown }): void
}

declare module 'vitest' {
  // The parameters must be named as Vitest names them.
  // biome-ignore lint/suspicious/noExplicitAny: as Vitest declares it
  interface Matchers<T = any> extends MachineMatchers {}
}

export const machineMatchers = {
  toHoldInvariants(
    machine: AnyStateMachine,
    invariants?: CheckOptions['invariants'],
    options: Omit<CheckOptions, 'invariants'> = {},
  ): Verdict {
    const { ok, report } = checkMachine(machine, { ...options, invariants })
    return { pass: ok, message: () => (ok ? `expected an invariant to break, but ${report}` : report) }
  },

  toBeCoveredBy(
    machine: AnyStateMachine,
    traces: readonly Trace[],
    options: { readonly input?: unknown } = {},
  ): Verdict {
    const coverage: Coverage = coverageOf(machine, traces, options)
    const pass = coverage.states.never.length + coverage.transitions.never.length === 0
    return { pass, message: () => `machine '${machine.id}' is covered: ${coverage}` }
  },
}
