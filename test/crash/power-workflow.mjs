/**
 * Runs that start, take signals and end, with each acknowledgement written to stdout as soon as it came: the process
 * whose system calls `power-loss.test.ts` records. Over the built package.
 */
import { writeSync } from 'node:fs'
import { z } from 'zod'
import { createRuntime, defineWorkflow } from '../../dist/src/index.js'

const [store, runs] = process.argv.slice(2)
const acknowledge = line => writeSync(1, `ack ${line}\n`)

const workflow = defineWorkflow({ name: 'power', version: '1', signals: { go: z.unknown() } })
  .stage('one', ({ step }) => step('one', () => 'x'.repeat(700)))
  .stage('two', ({ waitFor }) => waitFor('go'))
  .stage('three', ({ results }) => results.two)

const runtime = await createRuntime({ store, workflows: [workflow], logger: false, mode: 'minimal' })
for (let n = 0; n < Number(runs); n++) {
  const run = await runtime.start(workflow, { n }, { id: `r${n}` })
  acknowledge(`start r${n}`)
  if (n % 3 === 2) continue
  await run.signal('go', n)
  acknowledge(`signal r${n}`)
  if (n % 3 === 1) continue
  await run.result()
  acknowledge(`end r${n}`)
}
process.exit(0)
