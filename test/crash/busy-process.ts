/**
 * The process that is killed while it is busy: the built runtime with the store at `argv[2]`, a hundred runs of three
 * stages in flight, for ever. It says when its commits have a thread of their own, and of each run that it has ended,
 * once `result()` has said so. With `recover` as `argv[3]` it starts none, and ends when nothing is unfinished.
 */
import { writeSync } from 'node:fs'

const { createRuntime, defineWorkflow } = (await import(
  new URL('../../dist/src/index.js', import.meta.url).href
)) as typeof import('../../src/index.ts')

const [, , store, mode] = process.argv as [string, string, string, string | undefined]
const say = (line: string): void => void writeSync(1, `${line}\n`)

const workflow = defineWorkflow({ name: 'busy', version: '1' })
  .stage('a', async () => 'a'.repeat(500))
  .stage('b', async ({ step }) => step('once', () => 'b'))
  .stage('c', async ({ results }) => results.b)

const runtime = await createRuntime({ store, workflows: [workflow], logger: false })

async function start(): Promise<void> {
  const run = await runtime.start(workflow)
  const { status } = await run.result()
  say(`${status} ${run.id}`)
}

if (mode === 'recover') {
  const { items } = await runtime.list({ status: ['pending', 'running', 'recovering', 'waiting'], limit: 1000 })
  await Promise.all(items.map(async ({ id }) => (await runtime.get(id)).result()))
  await runtime.close()
  say('recovered')
} else {
  const lane = async (): Promise<never> => {
    for (;;) await start()
  }
  const lanes = Array.from({ length: 100 }, lane)
  while ((await runtime.storeDescription()).settings.commits_in !== 'a thread of their own') await start()
  say('in a thread')
  await Promise.all(lanes)
}
