/**
 * Workload W: 1000 workflows of 5 stages, about 1 kB a stage, 100 in flight, each stage durable (fsync) before the next
 * begins. The raw floor (the same rows in the same layout by bare SQLite statements, group commit, FULL) and the
 * runtime are run in turn, so the ratio holds when the machine's speed drifts.
 *
 *     npm run bench
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRuntime, defineWorkflow, type WorkflowBuilder } from '../src/index.ts'
import { rawFloor, workloadW } from './store-floor.ts'

const passes = Number(process.argv[2] ?? 3)
const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const { workflows, stages, bytes, inFlight } = workloadW
/** Workflows before the first pass: what is measured is a process that has been running for some seconds. */
const warmUp = 2000
const filler = 'x'.repeat(bytes - 20)

let workflow: WorkflowBuilder = defineWorkflow({ name: 'w', version: '1' })
for (let stage = 0; stage < stages; stage++) workflow = workflow.stage(`s${stage}`, async () => ({ stage, filler }))

const runtime = await createRuntime({ store: join(directory, 'holdfast.db'), workflows: [workflow], logger: false })
const { settings, durability } = await runtime.storeDescription()
if (durability !== 'fsync' || settings.synchronous !== 2) throw new Error(`not durable: ${JSON.stringify(settings)}`)

async function holdfast(count: number): Promise<{ workflowsPerSecond: number; cpuMicrosPerStage: number }> {
  const cpu = process.cpuUsage()
  const began = performance.now()
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) {
      const run = await runtime.start(workflow, { n: next++ })
      const result = await run.result()
      if (!result.success) throw new Error(result.error.message)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { workflowsPerSecond: count / seconds, cpuMicrosPerStage: (user + system) / (count * stages) }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
const show = (name: string, figures: { workflowsPerSecond: number; cpuMicrosPerStage: number }): void =>
  console.log(
    `${name.padEnd(9)} ${figures.workflowsPerSecond.toFixed(0).padStart(5)} workflows/s  ${figures.cpuMicrosPerStage.toFixed(0).padStart(4)} µs CPU a stage`,
  )

await holdfast(warmUp)
const ratios: number[] = []
for (let pass = 1; pass <= passes; pass++) {
  const floor = await rawFloor({ ...workloadW, file: join(directory, `floor-${pass}.db`) })
  const ours = await holdfast(workflows)
  show('raw floor', floor)
  show('holdfast', ours)
  ratios.push(ours.workflowsPerSecond / floor.workflowsPerSecond)
}
console.log(
  `ratio to the raw floor: ${median(ratios).toFixed(2)} (median of ${passes}); RSS ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB; synchronous=FULL, asserted`,
)
await runtime.close()
rmSync(directory, { recursive: true })
