import { describe, expect, it } from 'vitest'
import { createActor, setup } from 'xstate'
import { reachableFrom, readImportGraph } from '../support/import-graph.ts'
import { partOf } from '../support/layers.ts'

const graph = readImportGraph('src', 'machines')

/** The parts and the packages that an entry file brings with it. */
function broughtBy(entry: string): { parts: string[]; packages: string[] } {
  const reached = [...reachableFrom(graph, entry)]
  const parts = reached.filter(file => graph.has(file)).map(file => partOf(file)?.name ?? file)
  const packages = reached.filter(name => !graph.has(name) && !name.startsWith('node:'))
  return { parts: [...new Set(parts)].sort(), packages: packages.sort() }
}

describe('the three rings', () => {
  it('has a supervisor that brings no store, workflow, runtime or resilience', () => {
    expect(broughtBy('src/supervisor.ts')).toEqual({
      parts: ['errors', 'machines', 'supervisor', 'time'],
      packages: ['xstate', 'zod'],
    })
  })

  it('has a resilience that brings no runtime, supervisor, store or workflow', () => {
    expect(broughtBy('src/resilience.ts')).toEqual({
      parts: ['errors', 'machines', 'resilience', 'time'],
      packages: ['xstate', 'zod'],
    })
  })

  it('has a runtime that brings both, and is reached from the index', () => {
    const { parts } = broughtBy('src/index.ts')
    expect(parts).toEqual(expect.arrayContaining(['supervisor', 'resilience', 'store adapters', 'workflow', 'runtime']))
  })

  it('has a resilience whose machines are its own', () => {
    const machines = [...reachableFrom(graph, 'src/resilience.ts')].filter(file => file.startsWith('machines/'))
    expect(machines).toEqual(['machines/circuit.machine.ts'])
  })

  it('has a supervisor whose machines are its own', () => {
    const machines = [...reachableFrom(graph, 'src/supervisor.ts')].filter(file => file.startsWith('machines/'))
    expect(machines).toEqual(['machines/supervisor.machine.ts'])
  })
})

describe('each ring by itself', () => {
  it('supervises an actor', async () => {
    const { createSupervisor } = await import('../../src/supervisor.ts')
    const idle = setup({}).createMachine({ id: 'idle' })
    const supervisor = createSupervisor({ id: 'alone', children: [{ id: 'worker', logic: idle }] })
    await supervisor.start()
    expect(supervisor.whichChildren()).toEqual([{ id: 'worker', status: 'running', incarnation: 1, type: 'worker' }])
    await supervisor.stop()
    await expect(supervisor.stopped).resolves.toMatchObject({ reason: 'shutdown' })
  })

  it('makes a function resilient', async () => {
    const { createResilience } = await import('../../src/resilience.ts')
    let calls = 0
    const resilience = createResilience({ profile: 'critical' })
    await expect(resilience.execute(() => ++calls)).resolves.toBe(1)
  })

  it('runs a workflow', async () => {
    const { createRuntime, defineWorkflow } = await import('../../src/index.ts')
    const workflow = defineWorkflow({ name: 'alone', version: '1' }).stage('only', () => 'done')
    const runtime = await createRuntime({ store: ':memory:', mode: 'minimal', logger: false })
    try {
      const run = await runtime.start(workflow)
      await expect(run.result()).resolves.toMatchObject({ success: true, output: 'done' })
    } finally {
      await runtime.close()
    }
  })

  it('draws and drives a machine without any ring', async () => {
    const { circuitMachine } = await import('../../machines/circuit.machine.ts')
    const settings = { openMs: 1000, maxProbes: 1, successThreshold: 1, halfOpenMs: 1000 }
    const actor = createActor(circuitMachine, { input: { settings, at: 0 } }).start()
    actor.send({ type: 'FAILURES_REACHED', at: 1, period: 0 })
    expect(actor.getSnapshot().value).toBe('open')
  })
})
