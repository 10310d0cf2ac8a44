/** A circuit as JSON data, and back: what a process knew of its circuits is not lost with it. */
import { z } from 'zod'
import {
  type CircuitContext,
  type CircuitState,
  circuitContext,
  circuitReasons,
} from '../../machines/circuit.machine.ts'
import { SnapshotError } from '../errors.ts'
import type { CircuitTransition } from './circuit-history.ts'
import type { CircuitSettings } from './circuit-options.ts'
import { type CallWindow, callWindow, emptyWindow } from './circuit-window.ts'

/** A circuit as JSON data, to be given back to `createCircuit` as `snapshot`. */
export interface CircuitSnapshot {
  readonly name: string
  readonly version: 1
  readonly state: CircuitState
  readonly context: CircuitContext
  readonly totals: CircuitTotals
  readonly window: CallWindow
  readonly transitions: readonly CircuitTransition[]
  /** When it was taken, on the circuit's clock. */
  readonly at: number
}

export interface CircuitTotals {
  readonly calls: number
  readonly successes: number
  readonly failures: number
  readonly refusals: number
}

const restoredTotals = z.object({
  calls: z.int().min(0),
  successes: z.int().min(0),
  failures: z.int().min(0),
  refusals: z.int().min(0),
})

const stateNames = z.enum(['closed', 'open', 'half-open', 'isolated'])

const restoredSnapshot = z.object({
  version: z.literal(1),
  state: stateNames,
  context: circuitContext,
  totals: restoredTotals,
  window: callWindow,
  transitions: z
    .array(z.object({ from: stateNames, to: stateNames, at: z.number(), reason: z.enum(circuitReasons) }))
    .max(100),
  at: z.number(),
})

/** The snapshot with the numbers that hold now; the time that an open circuit still has is kept. */
export function readSnapshot(name: string, snapshot: unknown, settings: CircuitSettings): CircuitSnapshot {
  const parsed = restoredSnapshot.safeParse(snapshot)
  if (!parsed.success) {
    throw new SnapshotError(`the snapshot of circuit '${name}' cannot be read: it is not one that snapshot() gave`, {
      circuit: name,
    })
  }
  const { data } = parsed
  // A window of another form tells nothing by the rules that hold now.
  const fits = settings.window !== undefined && data.window.next < settings.window.size
  const window = fits ? data.window : { ...emptyWindow, consecutive: data.window.consecutive }
  return { ...data, name, window, context: { ...data.context, settings } }
}
