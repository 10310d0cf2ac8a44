/**
 * Workload W: 1000 workflows of 5 stages, about 1 kB a stage, 100 in flight, each stage durable (fsync) before the next
 * begins. The raw floor (the same rows in the same layout by bare SQLite statements, group commit, FULL) and the
 * runtime are run in turn, so the ratio holds when the machine's speed drifts. Then one workflow at a time, which is what
 * somebody waits for who has only one.
 *
 *     npm run bench
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createRuntime, defineWorkflow, type WorkflowBuilder } from '../src/index.ts'
import { measure, rawFloor, type Throughput, workloadW } from './store-floor.ts'

const passes = Number(process.argv[2] ?? 3)
const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const { workflows, stages, bytes, inFlight } = workloadW
/** Workflows before the first pass: what is measured is a process that has been running for some seconds. */
const warmUp = 2000
/** Workflows one after the other. */
const alone = 500
const filler = 'x'.repeat(bytes - 20)

let workflow: WorkflowBuilder = defineWorkflow({ name: 'w', version: '1' })
for (let stage = 0; stage < stages; stage++) workflow = workflow.stage(`s${stage}`, async () => ({ stage, filler }))

const runtime = await createRuntime({ store: join(directory, 'holdfast.db'), workflows: [workflow], logger: false })
const { settings, durability } = await runtime.storeDescription()
if (durability !== 'fsync' || settings.synchronous !== 2) throw new Error(`not durable: ${JSON.stringify(settings)}`)

const holdfast = (count: number, lanes: number = inFlight): Promise<Throughput> =>
  measure({ workflows: count, stages, inFlight: lanes }, async n => {
    const run = await runtime.start(workflow, { n })
    const result = await run.result()
    if (!result.success) throw new Error(result.error.message)
  })

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
const figure = (value: number, width: number, digits = 0): string => value.toFixed(digits).padStart(width)
const show = (name: string, { workflowsPerSecond, cpuMicrosPerStage }: Throughput): void =>
  console.log(
    `${name.padEnd(9)} ${figure(workflowsPerSecond, 5)} workflows/s  ${figure(cpuMicrosPerStage, 4)} µs CPU a stage`,
  )

await holdfast(warmUp)
const ratios: number[] = []
const delay = monitorEventLoopDelay({ resolution: 1 })
for (let pass = 1; pass <= passes; pass++) {
  const floor = await rawFloor({ ...workloadW, file: join(directory, `floor-${pass}.db`) })
  delay.enable()
  const ours = await holdfast(workflows)
  delay.disable()
  show('raw floor', floor)
  show('holdfast', ours)
  ratios.push(ours.workflowsPerSecond / floor.workflowsPerSecond)
}
const used = await runtime.storeDescription()
if (used.settings.synchronous !== 2) throw new Error(`not durable: ${JSON.stringify(used.settings)}`)
console.log(
  `ratio to the raw floor: ${median(ratios).toFixed(2)} (median of ${passes}); RSS ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB; ` +
    `delay of the event loop, p99: ${(delay.percentile(99) / 1e6).toFixed(1)} ms; ` +
    `synchronous=FULL, asserted of the connection that commits, in ${used.settings.commits_in}`,
)
const { median: usual, p99 } = (await holdfast(alone, 1)).latencyMs
console.log(`one workflow at a time: ${figure(usual, 4, 1)} ms, p99 ${figure(p99, 4, 1)} ms`)
await runtime.close()
rmSync(directory, { recursive: true })
