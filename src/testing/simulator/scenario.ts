/** What a simulation is given, and what one seed of it gives back. */
import type { Run, RunResult, Runtime, RuntimeOptions } from '../../runtime/api.ts'
import type { JournalRow, RunStatus } from '../../store/store.ts'
import type { Random } from '../../time/random.ts'
import type { AnyWorkflow } from '../../workflow/definition.ts'
import type { FaultRates } from './fault-profile.ts'
import type { Broken } from './guarantee-table.ts'
import type { OutsideUse } from './place.ts'
import type { Answers } from './simulated-providers.ts'
import type { StandIns } from './stage-watch.ts'
import type { ProgramRun, Programs } from './world/programs.ts'
import type { FileChange, Files } from './world/simulated-world.ts'

/** A run of a simulation after its end, as invariants are given it. */
export interface SimulatedRun {
  readonly id: string
  readonly workflow: string
  readonly input: unknown
  readonly status: RunStatus
  /** Absent of a run that still waits. */
  readonly result?: RunResult | undefined
  /** The journal, with its data parsed. */
  readonly journal: readonly (Omit<JournalRow, 'data'> & { readonly data: unknown })[]
  /** All simulated files at the end of the seed, by absolute path. */
  readonly files: Readonly<Record<string, string>>
  /** What the stages of this run changed of them, in order. */
  readonly changes: readonly FileChange[]
  /** The programs that the stages of this run asked for, in order. */
  readonly programs: readonly ProgramRun[]
}

export type RunInvariant = (run: SimulatedRun) => unknown

/** What a factory opens its runtime with: `createRuntime({ ...world, workflows })`. */
export type SimulatedRuntimeOptions = Required<
  Pick<RuntimeOptions, 'store' | 'clock' | 'random' | 'providers' | 'logger' | 'mode' | 'inspect'>
>

export interface Signal {
  readonly name: string
  readonly payload: unknown
}

export interface Scenario {
  /** Opens a runtime; `watch` makes a workflow whose stages are watched. */
  readonly open: (
    options: SimulatedRuntimeOptions,
    watch: (workflow: AnyWorkflow) => AnyWorkflow,
    /** The workflows that were started as children so far: a later process must know them. */
    children: readonly AnyWorkflow[],
  ) => Promise<Runtime>
  /** Starts the runs, or finds them: the same ones each time that it is called. */
  readonly begin: (
    runtime: Runtime,
    given: { readonly random: Random; readonly watch: (workflow: AnyWorkflow) => AnyWorkflow },
  ) => Promise<readonly Run<unknown>[]>
  /** The payload of a signal that a run waits for; undefined where none is sent. */
  readonly signal: (name: string, random: Random) => Signal | undefined
  readonly standIns: StandIns
  readonly files: Files | undefined
  readonly programs: Programs | undefined
  readonly answers: Answers | undefined
  readonly faults: FaultRates
  readonly invariants: readonly (readonly [name: string, invariant: RunInvariant])[]
  readonly inspect: SimulatedRuntimeOptions['inspect']
}

export interface SeedOutcome {
  readonly seed: number
  readonly broken: readonly Broken[]
  readonly runs: readonly SimulatedRun[]
  /** All journals as text, a row a line. */
  readonly journal: string
  /** A fingerprint of the journals. */
  readonly digest: string
  /** What happened, with the simulated time. */
  readonly trace: readonly string[]
  readonly outside: readonly OutsideUse[]
  readonly simulatedMs: number
  /** Processes that were needed. */
  readonly lives: number
  /** From the healing to the last end; undefined where something did not end. */
  readonly recoveryMs: number | undefined
}
