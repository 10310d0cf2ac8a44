import { describe, expect, it } from 'vitest'
import { type AnyStateMachine, setup } from 'xstate'
import { z } from 'zod'
import { createClient } from '../../../src/runtime/client.ts'
import type { OperatedRuntime } from '../../../src/runtime/operations/operations-api.ts'
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
    const all = runtime.events({ from: 0 })[Symbol.asyncIterator]()
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
    for await (const { seq } of second.events({ from: 0 })) {
      expect(seq).toBe(1)
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

  describe('of a machine of one’s own', () => {
    type Migrate = (snapshot: { value: unknown }, from: { version: string }) => unknown
    const machineOf = (state: string) =>
      setup({ types: {} as { events: { type: 'GO' } | { type: 'STAY' } } }).createMachine({
        id: 'own',
        initial: state,
        states: { [state]: { on: { GO: 'end', STAY: state } }, end: { type: 'final' } },
      } as never) as unknown as AnyStateMachine
    const own = (version: string, state: string, migrate?: Migrate) =>
      workflowFromMachine({ name: 'own', version, machine: machineOf(state), migrate: migrate as never })

    async function begun() {
      const world = createWorld()
      const old = own('1', 'early')
      const first = await world.open({ workflows: [old] })
      await first.start(old, undefined as never, { id: 'r' })
      await world.clock.advance('1m')
      await first.close()
      return { world, old }
    }
    const waits = (runtime: OperatedRuntime) => runtime.list({ status: 'waiting' }).then(({ items }) => items)

    it('is never guessed onto another', async () => {
      const { world } = await begun()
      const second = await world.open({ workflows: [own('2', 'late')] })
      expect(await waits(second)).toMatchObject([{ version: '1', waitingFor: [{ kind: 'definition' }] }])
      await second.close()
    })

    it('migrates once, from the snapshot of its machine, and is of the new definition from then on', async () => {
      const { world } = await begun()
      const asked: unknown[] = []
      const migrating = own('2', 'late', (snapshot, from) => {
        asked.push([snapshot.value, from.version])
        return { ...snapshot, value: 'late' }
      })
      for (let processes = 0; processes < 3; processes++) {
        const runtime = await world.open({ workflows: [migrating] })
        await (await runtime.get('r')).signal('STAY', {})
        await world.clock.advance('1s')
        expect(await waits(runtime)).toMatchObject([{ version: '2', waitingFor: [{ kind: 'event' }] }])
        await runtime.close()
      }
      expect(asked).toEqual([['early', '1']])
      const told = (await world.store.readJournal('r')).filter(({ type }) => type === 'run.migrated')
      expect(told.map(({ data }) => JSON.parse(data))).toMatchObject([{ from: { version: '1' }, to: { version: '2' } }])
      const last = await world.open({ workflows: [own('2', 'late')] })
      const run = await last.get('r')
      await run.signal('GO', {})
      expect(await settle(world.clock, run.result())).toMatchObject({ status: 'completed', version: '2' })
      await last.close()
    })

    it.each<[string, Migrate, string]>([
      [
        'throws',
        () => {
          throw new Error('no idea')
        },
        'to version 2: no idea',
      ],
      ['gives a state that is not there', snapshot => snapshot, 'early'],
      ['gives no snapshot', () => undefined, 'no value or no status'],
      ['gives what is no JSON', snapshot => ({ ...snapshot, value: 'late', context: { n: 1n } }), '.context.n'],
      [
        'gives an actor that is not there',
        snapshot => ({ ...snapshot, value: 'late', children: { x: { src: 'gone', snapshot: { status: 'active' } } } }),
        "actor 'x' of 'gone'",
      ],
    ])('stays as it was where `migrate` %s, says why, and goes on where that is mended', async (_, migrate, text) => {
      const { world, old } = await begun()
      const before = await world.store.readRun('r')
      const second = await world.open({ workflows: [own('2', 'late', migrate)] })
      const refused = await (await second.get('r')).signal('GO', {}).catch(error => error)
      expect(refused).toMatchObject({ code: 'workflow_changed', message: expect.stringContaining(text) })
      expect(await waits(second)).toMatchObject([{ version: '1', waitingFor: [{ kind: 'definition' }] }])
      await second.close()
      expect((await world.store.readRun('r'))?.snapshot).toBe(before?.snapshot)
      const third = await world.open({ workflows: [old] })
      const run = await third.get('r')
      await run.signal('GO', {})
      expect(await settle(world.clock, run.result())).toMatchObject({ status: 'completed', version: '1' })
      await third.close()
    })
  })

  it('goes on by itself with what was under way in it where its definition is back', async () => {
    const world = createWorld()
    let hangs = true
    const old = begin()
      .stage('a', () => 1)
      .stage('b', () => (hangs ? new Promise<number>(() => {}) : 2))
    const first = await world.open({ workflows: [old] })
    const run = await first.start(old, undefined, { id: 'r' })
    await world.clock.advance('1s')
    expect(await run.status()).toBe('running')
    await first.close({ grace: 0 })
    hangs = false
    for (let times = 0; times < 2; times++) {
      const second = await world.open({ workflows: [begin('2').stage('other', () => 1)] })
      await world.clock.advance('1h')
      expect((await second.list({ status: 'waiting' })).items).toMatchObject([{ waitingFor: [{ kind: 'definition' }] }])
      await second.close()
    }
    const third = await world.open({ workflows: [old] })
    expect(await settle(world.clock, (await third.get('r')).result(), 1000, 60_000)).toMatchObject({ output: 2 })
    await third.close()
  })

  it('and that was being cancelled is cancelled where its definition is back, with its compensations', async () => {
    const world = createWorld()
    const undone: string[] = []
    let hangs = true
    const undo = (): Promise<void> | undefined => {
      if (hangs) return new Promise(() => {})
      undone.push('a')
      return undefined
    }
    const old = begin()
      .stage('a', { compensate: undo }, () => 1)
      .stage('b', ({ waitFor }) => waitFor('go'))
    const first = await world.open({ workflows: [old] })
    const run = await first.start(old, undefined, { id: 'r' })
    await world.clock.advance('1s')
    await run.cancel('enough')
    await first.close({ grace: 0 })
    hangs = false
    const second = await world.open({ workflows: [begin('2').stage('other', () => 1)] })
    expect((await second.list()).items).toMatchObject([{ id: 'r', status: 'cancelling' }])
    await second.close()
    const third = await world.open({ workflows: [old] })
    expect(await settle(world.clock, (await third.get('r')).result())).toMatchObject({
      status: 'cancelled',
      error: { message: 'enough' },
    })
    expect(undone).toEqual(['a'])
    await third.close()
  })
})
