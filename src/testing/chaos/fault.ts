/**
 * The faults that can be injected into a real run. Each is data, so that it can be kept in the journal of the run and
 * done again in the simulator: what happens, where in the run, and its text for people.
 */
import { z } from 'zod'
import type { ChaosPlace } from '../../runtime/chaos.ts'
import { formatMs } from '../../time/duration.ts'

const ms = z.number()
const faultSchema = z.discriminatedUnion('fault', [
  /** The process ends at once, as by `kill -9`. */
  z.object({ fault: z.literal('process.killed') }),
  /** The stage ends as if it had crashed. */
  z.object({ fault: z.literal('stage.killed') }),
  /** The call fails so many times, as it does over the wire. */
  z.object({
    fault: z.literal('call.failed'),
    name: z.string(),
    failure: z.record(z.string(), z.unknown()),
    times: z.int(),
  }),
  /** The answer comes so much later. */
  z.object({ fault: z.literal('call.slow'), ms }),
  /** The provider that is asked is out, so often that its circuit opens. */
  z.object({ fault: z.literal('circuit.tripped') }),
  /** The next write takes so much longer. */
  z.object({ fault: z.literal('store.slow'), ms }),
  /** The disk is full at the next write. */
  z.object({ fault: z.literal('store.failed') }),
  /** At the next write the store belongs to another process. */
  z.object({ fault: z.literal('store.lost') }),
  /** An operator pauses the run for so long. */
  z.object({ fault: z.literal('run.held'), ms }),
  /** The wall clock is set wrong by so much. */
  z.object({ fault: z.literal('clock.jumped'), ms }),
])

export type Fault = z.infer<typeof faultSchema>

/** Undefined for what is none that this version knows. */
export function parseFault(data: unknown): Fault | undefined {
  const parsed = faultSchema.safeParse(data)
  return parsed.success ? parsed.data : undefined
}

export function faultText(fault: Fault, { stage, type }: Pick<ChaosPlace, 'stage' | 'type'>): string {
  const there = `at ${type} of stage '${stage}'`
  switch (fault.fault) {
    case 'process.killed':
      return `the process is killed ${there}`
    case 'stage.killed':
      return `stage '${stage}' is killed at ${type}`
    case 'call.failed':
      return `a model call of stage '${stage}' fails ${fault.times === 1 ? 'once' : `${fault.times} times`} (${fault.name})`
    case 'call.slow':
      return `a model call of stage '${stage}' takes ${formatMs(fault.ms)} longer`
    case 'circuit.tripped':
      return `the circuit of the provider that stage '${stage}' asks is tripped`
    case 'store.slow':
      return `the next write takes ${formatMs(fault.ms)} longer (${there})`
    case 'store.failed':
      return `the disk is full at the next write (${there})`
    case 'store.lost':
      return `another process seems to have taken the store (${there})`
    case 'run.held':
      return `the run is paused for ${formatMs(fault.ms)} (${there})`
    case 'clock.jumped':
      return `the clock jumps by ${fault.ms < 0 ? '-' : ''}${formatMs(Math.abs(fault.ms))} (${there})`
  }
}
