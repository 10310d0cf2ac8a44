/**
 * A trace: what happened to a machine, as a list of plain events. Beside the machine's own there are two of the world
 * that it lives in: the crash of its process with the restore by the next, and time that passes.
 */
import type { MachineWorld } from './machine-world.ts'

export interface CrashStep {
  readonly type: 'holdfast.crash'
}

export interface TimeStep {
  readonly type: 'holdfast.time'
  readonly ms: number
}

export type TraceStep = CrashStep | TimeStep | { readonly type: string; readonly [key: string]: unknown }

/** An event that carries nothing may be written as its type. */
export type Trace = readonly (TraceStep | string)[]

export const isCrash = (step: TraceStep): step is CrashStep => step.type === 'holdfast.crash'
export const isTime = (step: TraceStep): step is TimeStep => step.type === 'holdfast.time'

export function applyStep(world: MachineWorld, step: TraceStep): void {
  if (isCrash(step)) world.crash()
  else if (isTime(step)) world.pass(step.ms)
  else world.send(step)
}

/** An event with what it carries, its type first; what it carries never changes its type. */
export const eventWith = (type: string, data: object | undefined): TraceStep => Object.assign({ type }, data, { type })
