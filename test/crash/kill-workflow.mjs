/**
 * A run of ten stages with parallel branches and a map, whose every execution leaves a line in a file: what really ran
 * is counted there, outside of the store. A process of its own over the built package, to be killed at any moment.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { createRuntime, defineWorkflow } from '../../dist/src/index.js'
import { scriptedProvider } from '../../dist/src/testing.js'

const [store, trace, runId] = process.argv.slice(2)
const mark = line => appendFileSync(trace, `${line}\n`)

const work = async (name, step) => {
  mark(`start ${name}`)
  const value = await step('effect', async () => {
    mark(`effect ${name}`)
    await wait(3)
    mark(`effected ${name}`)
    return name.length
  })
  await wait(3)
  return value
}

const workflow = defineWorkflow({ name: 'killed', version: '1' })
  .stage('one', ({ step }) => work('one', step))
  .stage('two', ({ step }) => work('two', step))
  .stage('left', { needs: ['two'] }, ({ step }) => work('left', step))
  .stage('right', { needs: ['two'] }, ({ step }) => work('right', step))
  .stage('rest', { needs: ['right'] }, async ({ step, sleep }) => {
    const value = await work('rest', step)
    await sleep(5)
    return value
  })
  .map(
    'items',
    { needs: ['left', 'rest'], over: () => ['a', 'b', 'c', 'd'], key: item => item, concurrency: 2 },
    ({ step, stage }) => work(stage, step),
  )
  .stage('seven', async ({ step, model }) => {
    const value = await work('seven', step)
    const one = await model.generate({ prompt: 'one' })
    const [two, three] = await Promise.all(['two', 'three'].map(prompt => model.generate({ prompt })))
    return [value, one.text, two.text, three.text]
  })
  .stage('eight', ({ step }) => work('eight', step))
  .stage('nine', ({ step }) => work('nine', step))
  .stage('ten', ({ step, results }) => work(`ten${results.nine}`, step))
  .output(({ results }) => results)

/** Each call leaves a line when it is made and one when it is answered: what was paid for is counted there. */
const provider = scriptedProvider(
  [
    async request => {
      const prompt = String(request.messages.at(-1)?.content)
      mark(`call ${prompt}`)
      await wait(3)
      mark(`answered ${prompt}`)
      return { text: prompt.toUpperCase(), cost: 1 }
    },
  ],
  { loop: true },
)

const runtime = await createRuntime({ store, workflows: [workflow], providers: [provider], logger: false })
const run = await runtime.start(workflow, undefined, { id: runId })
mark('started')
const result = await run.result()
mark(`result ${JSON.stringify({ status: result.status, output: result.success ? result.output : result.error })}`)
await runtime.close()
