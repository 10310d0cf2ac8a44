import { describe, expect, it } from 'vitest'
import { createRuntime } from '../../../src/runtime/create-runtime.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'

const workflow = defineWorkflow({ name: 'w', version: '1' })
  .stage('a', ({ sleep }) => sleep('1m'))
  .stage('b', () => 2)

describe('a store that fails under a runtime', () => {
  it('ends the runtime with the failure, and nothing goes on in memory that the store does not have', async () => {
    const clock = virtualClock()
    const store = memoryStore()
    let ranB = 0
    const watched = defineWorkflow({ name: 'w', version: '1' })
      .stage('a', ({ sleep }) => sleep('1m'))
      .stage('b', () => ++ranB)
    const runtime = await createRuntime({
      store: faultyStore(store, { crashAt: 4, mode: 'before' }),
      clock,
      logger: false,
      workflows: [watched],
    })
    const run = await runtime.start(watched, undefined, { id: 'r' })
    const result = run.result()
    result.catch(() => {})
    await clock.advance('5m')
    await expect(result).rejects.toMatchObject({ name: 'StoreError', code: 'store_failed' })
    await expect(runtime.start(watched)).rejects.toMatchObject({ name: 'StoreError' })
    await runtime.close()
    expect(ranB).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('refuses a second runtime while one owns it, and gives it up when that is closed', async () => {
    const store = memoryStore()
    const first = await createRuntime({ store, logger: false })
    await expect(createRuntime({ store, logger: false })).rejects.toMatchObject({
      name: 'StoreError',
      code: 'store_owned',
    })
    await first.close()
    await (await createRuntime({ store, logger: false })).close()
  })

  it('refuses what is asked of a closed runtime, and tells those who wait', async () => {
    const clock = virtualClock()
    const runtime = await createRuntime({ store: memoryStore(), clock, logger: false })
    const run = await runtime.start(workflow)
    const waiting = run.result()
    await runtime.close()
    await runtime.close()
    await expect(waiting).rejects.toMatchObject({ code: 'runtime_closed' })
    await expect(runtime.start(workflow)).rejects.toMatchObject({ code: 'runtime_closed' })
    expect(clock.pending).toBe(0)
  })
})

describe('options of a runtime', () => {
  it.each([
    [{ stroe: ':memory:' }, "did you mean 'store'"],
    [{ concurrency: { stage: 3 } }, "did you mean 'stages'"],
    [{ workflows: [{}] }, 'must be a workflow'],
    [{ workflows: [null] }, 'must be a workflow'],
    [{ workflows: [{ default: workflow }] }, 'put "type": "module" into package.json'],
    [{ tasks: { mine: 'criticl' } }, "did you mean 'critical'"],
  ])('%j are refused by naming the mend', async (options, message) => {
    await expect(createRuntime(options as never)).rejects.toMatchObject({
      name: 'OptionsError',
      message: expect.stringContaining(message),
    })
  })

  it('of a stage name a profile or a task that exists, or the start is refused', async () => {
    const runtime = await createRuntime({ store: ':memory:', logger: false })
    const bad = defineWorkflow({ name: 'bad', version: '1' }).stage('a', { task: 'sumarize' }, () => 1)
    await expect(runtime.start(bad)).rejects.toMatchObject({
      name: 'OptionsError',
      message: expect.stringContaining("did you mean 'summarize'"),
    })
    await expect(runtime.start(workflow, undefined, { profile: 'tolrant' })).rejects.toMatchObject({
      message: expect.stringContaining("did you mean 'tolerant'"),
    })
    await expect(runtime.start(workflow, undefined, { idd: 'x' } as never)).rejects.toMatchObject({
      message: expect.stringContaining("did you mean 'id'"),
    })
    await runtime.close()
  })
})
