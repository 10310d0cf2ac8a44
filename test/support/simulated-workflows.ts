/**
 * The workflows that we put through our own simulator, each with what must hold of it beside the guarantees, and with
 * its share of the seeds: what uses everything at once, what fails in every way, a machine of its own, and all that ship.
 */
import { bundledWorkflow } from '../../src/bundled/index.ts'
import {
  bundledWorld,
  type RunInvariant,
  type SimulatedRun,
  type SimulateOptions,
  type SimulationResult,
  simulate,
} from '../../src/testing.ts'
import { ordeal, spender } from './ordeal-workflow.ts'
import { kiln, torture } from './torture-workflow.ts'

export interface SimulatedWorkflow {
  readonly name: string
  /** Of all seeds. */
  readonly share: number
  readonly run: (options: SimulateOptions) => Promise<SimulationResult>
}

const hour = 3_600_000
const minute = 60_000

const outputOf = ({ result }: SimulatedRun): Record<string, unknown> | undefined =>
  result?.success === true ? (result.output as Record<string, unknown>) : undefined

const inOrderOfItems: RunInvariant = run => {
  const found = (outputOf(run)?.review ?? []) as readonly ({ readonly item: number } | null)[]
  return found.every((one, index) => one === null || one.item === index)
}

/** Twice two hours late would be a timer that began anew when its process did. */
const firedInTime: RunInvariant = ({ journal, status }) => {
  const fired = journal.find(row => row.type === 'stage.succeeded' && row.stage?.startsWith('fire'))
  const ended = journal.at(-1)
  if (status !== 'completed' || !fired || !ended) return true
  return ended.at - fired.at >= 2 * hour && ended.at - fired.at <= 2 * hour + 15 * minute
}

const everything = { crashes: true, disk: true, providers: true, clock: true, owners: true }

/** One that ships, in the world that ships with it. */
const shipped = (name: string): SimulatedWorkflow => ({
  name,
  share: 0.052,
  run: async options =>
    simulate(bundledWorkflow(name), {
      faults: { ...everything, operators: 0.3 },
      ...(await bundledWorld(name)),
      ...options,
    }),
})

export const simulatedWorkflows: readonly SimulatedWorkflow[] = [
  {
    name: 'torture',
    share: 0.25,
    run: options => simulate(torture, { invariants: { 'in the order of items': inOrderOfItems }, ...options, runs: 1 }),
  },
  {
    name: 'ordeal',
    share: 0.25,
    run: options => simulate(ordeal, { faults: { ...everything, operators: 0.8 }, ...options, runs: 1 }),
  },
  {
    // In few processes, so that what was charged must be booked to the last of it.
    name: 'spender',
    share: 0.08,
    run: options =>
      simulate(spender, {
        faults: { providers: 0.2, disk: true, crashes: 0.2 },
        ...options,
        runs: 1,
        budget: { calls: 9 },
      }),
  },
  {
    name: 'kiln',
    share: 0.08,
    run: options => simulate(kiln, { faults: { ...everything, operators: 0.5 }, ...options, runs: 1 }),
  },
  {
    // Without jumps of the clock, so that it shows how much time has passed.
    name: 'kiln in time',
    share: 0.08,
    run: options =>
      simulate(kiln, {
        faults: { crashes: true },
        invariants: { 'cools for two hours': firedInTime },
        ...options,
        runs: 1,
      }),
  },
  ...['checkup', 'code-review', 'summarize', 'develop', 'build'].map(shipped),
]
