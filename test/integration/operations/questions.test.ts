import { describe, expect, it } from 'vitest'
import { type AnyStateMachine, setup } from 'xstate'
import { z } from 'zod'
import { createClient } from '../../../src/runtime/client.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (version = '1') => defineWorkflow({ name: 'w', version, signals: { go: z.object({}) } })

describe('diagnostics', () => {
  it('say where a run stands, what it waits for, and what went wrong', async () => {
    const world = createWorld()
    const workflow = begin()
      .stage('a', { preflight: true }, () => 1)
      .stage('b', async ({ attempt, waitFor }) => {
        if (attempt === 1) throw new Error('broken once')
        await waitFor('go')
      })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    // The checks ask the real machine: its time is not that of the virtual clock, and must not be outrun by it.
    await new Promise<void>(resolve => run.subscribe(({ type }) => type === 'preflight.passed' && resolve()))
    while ((await run.status()) !== 'waiting') await world.clock.advance(100)
    expect(await runtime.diagnostics('r')).toMatchObject({
      runId: 'r',
      status: 'waiting',
      currentStage: { stage: 'b', attempt: 2, durationMs: expect.any(Number) },
      waitingFor: [{ kind: 'signal', name: 'go', stage: 'b' }],
      errorCount: 1,
      recoveryAttempts: 1,
      stageHistory: { a: { status: 'succeeded' }, b: { status: 'running' } },
      performance: { errorRate: expect.any(Number) },
    })
    const { recentHealthChecks, recommendations } = await runtime.diagnostics('r')
    expect(recentHealthChecks.map(({ name }) => name)).toContain('disk')
    expect(recommendations.join()).toContain('holdfast signal r go')
    expect(recommendations.join()).toContain('broken once')
    await run.signal('go', {})
    await settle(world.clock, run.result())
    expect(await createClient({ store: world.store }).diagnostics('r')).toMatchObject({
      status: 'completed',
      currentStage: null,
    })
    expect(await runtime.diagnostics('nobody').catch(error => error)).toMatchObject({ code: 'run_not_found' })
    await runtime.close()
  })
})

describe('the events of all runs', () => {
  it('are given from a position on, then as they come, each once and in order', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', () => 1)
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r1' })).result())
    const all = runtime.events({ from: 1 })[Symbol.asyncIterator]()
    const seen: string[] = []
    let last = 0
    const until = async (runId: string) => {
      for (;;) {
        const { value } = await all.next()
        expect(value.position).toBeGreaterThan(last)
        last = value.position as number
        seen.push(`${value.runId} ${value.seq}`)
        if (value.runId === runId && value.type === 'run.completed') return
      }
    }
    await until('r1')
    const second = await runtime.start(workflow, undefined, { id: 'r2' })
    await Promise.all([settle(world.clock, second.result()), until('r2')])
    const rows = ['r1', 'r2'].map(async id => (await world.store.readJournal(id)).map(({ seq }) => `${id} ${seq}`))
    expect(seen).toEqual((await Promise.all(rows)).flat())
    for await (const event of runtime.events({ from: last })) {
      expect(event).toMatchObject({ runId: 'r2', type: 'run.completed', position: last })
      break
    }
    await runtime.close()
  })
})

describe('a run whose definition has changed', () => {
  it('waits, says for what wherever runs are listed, and goes on where the old definition is given too', async () => {
    const world = createWorld()
    const old = begin()
      .stage('a', () => 'old')
      .stage('b', async ({ waitFor, results }) => {
        await waitFor('go')
        return results.a
      })
    const newer = begin('2').stage('other', () => 'new')
    const first = await world.open({ workflows: [old] })
    await first.start(old, undefined, { id: 'r' })
    await world.clock.advance('1m')
    await first.close()
    for (let times = 0; times < 2; times++) {
      const second = await world.open({ workflows: [newer] })
      const { items } = await second.list({ status: 'waiting' })
      expect(items).toMatchObject([{ id: 'r', version: '1', waitingFor: [{ kind: 'definition' }] }])
      expect(items[0]?.waitingFor?.[0]?.name).toMatch(/^w 1 [0-9a-f]{16}$/)
      expect((await second.diagnostics('r')).recommendations.join()).toContain('fork')
      await second.close()
    }
    const told = (await world.store.readJournal('r')).filter(
      ({ type, data }) => type === 'run.waiting' && data.includes('definition'),
    )
    expect(told).toHaveLength(1)
    const third = await world.open({ workflows: [newer, old] })
    const run = await third.get('r')
    await run.signal('go', {})
    expect(await settle(world.clock, run.result())).toMatchObject({ version: '1', output: 'old' })
    await third.close()
  })

  it('is not touched where its workflow is another program’s', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', ({ sleep }) => sleep('1h'))
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1m')
    await first.close()
    const before = await world.store.readRun('r')
    const other = await world.open({ workflows: [] })
    await other.close()
    expect(await world.store.readRun('r')).toEqual(before)
  })

  it('of a machine of one’s own migrates where it says how, and is never guessed onto another', async () => {
    const world = createWorld()
    const machineOf = (state: string) =>
      setup({ types: {} as { events: { type: 'GO' } } }).createMachine({
        id: 'own',
        initial: state,
        states: { [state]: { on: { GO: 'end' } }, end: { type: 'final' } },
      } as never) as unknown as AnyStateMachine
    const old = workflowFromMachine({ name: 'own', version: '1', machine: machineOf('early') })
    const first = await world.open({ workflows: [old] })
    await first.start(old, undefined as never, { id: 'r' })
    await world.clock.advance('1m')
    await first.close()
    const changed = workflowFromMachine({ name: 'own', version: '2', machine: machineOf('late') })
    const second = await world.open({ workflows: [changed] })
    expect((await second.list({ status: 'waiting' })).items).toMatchObject([{ waitingFor: [{ kind: 'definition' }] }])
    await second.close()
    const migrating = workflowFromMachine({
      name: 'own',
      version: '2',
      machine: machineOf('late'),
      migrate: (snapshot, from) => {
        expect(from.version).toBe('1')
        return JSON.parse(JSON.stringify(snapshot).replaceAll('early', 'late'))
      },
    })
    const third = await world.open({ workflows: [migrating] })
    const run = await third.get('r')
    await run.signal('GO', {})
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'completed' })
    await third.close()
  })
})
