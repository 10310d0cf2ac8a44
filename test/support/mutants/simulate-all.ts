/**
 * Puts our workflows through the simulator, one slice of seeds after the other so that each of them has its turn early.
 * Ends with 1 and a line of what broke at the first violation.
 */
import type { SimulationResult } from '../../../src/testing.ts'
import { type SimulatedWorkflow, simulatedWorkflows } from '../simulated-workflows.ts'

const slices = 8
const seeds = Number(process.argv[2] ?? 240)
const perSlice = (share: number): number => Math.max(1, Math.ceil((seeds * share) / slices))

async function attempt({ name, share, run }: SimulatedWorkflow, slice: number): Promise<string | undefined> {
  const size = perSlice(share)
  const from = 1 + slice * size
  const chosen = Array.from({ length: size }, (_, index) => from + index)
  let result: SimulationResult
  try {
    result = await run({ seeds: chosen, replays: slice === 0 ? 1 : 0 })
  } catch (error) {
    return `the simulator on ${name}: ${error instanceof Error ? error.message : String(error)}`
  }
  return result.ok ? undefined : `the simulator, ${name}, seed ${result.seed}: ${result.violation?.invariant}`
}

async function main(): Promise<string | undefined> {
  for (let slice = 0; slice < slices; slice++) {
    for (const workflow of simulatedWorkflows) {
      const broken = await attempt(workflow, slice)
      if (broken !== undefined) return broken
    }
  }
  return undefined
}

const broken = await main()
if (broken !== undefined) process.stdout.write(`${broken}\n`)
process.exit(broken === undefined ? 0 : 1)
