/** A stage that ends the process while it runs: always, or until a file exists. A process of its own, over the built package. */
import { existsSync, writeFileSync } from 'node:fs'
import { createRuntime, defineWorkflow } from '../../dist/src/index.js'

const [store, marker, mode] = process.argv.slice(2)

const workflow = defineWorkflow({ name: 'exits', version: '1' })
  .stage('before', () => 'kept')
  .stage('exits', () => {
    if (mode === 'always') process.exit(7)
    if (existsSync(marker)) return 'second time'
    writeFileSync(marker, '')
    process.exit(7)
  })
  .output(({ results }) => results)

const runtime = await createRuntime({ store, workflows: [workflow], logger: false })
const run = await runtime.start(workflow, undefined, { id: 'r' })
const result = await run.result()
console.log(
  JSON.stringify({
    status: result.status,
    resumes: result.resumes,
    output: result.output,
    error: result.error?.message,
  }),
)
await runtime.close()
