/** Rows of the store that were damaged, and snapshots that cannot be restored: the run goes down a rung and says so. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import { StoreError } from '../../../src/errors.ts'
import type { Run, Runtime } from '../../../src/runtime/api.ts'
import { createRuntime } from '../../../src/runtime/create-runtime.ts'
import { loadSqliteDriver } from '../../../src/store/sqlite-driver.ts'
import { sqliteStore } from '../../../src/store/sqlite-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../../src/time/random.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../../src/workflow/definition.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-ladder-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

interface Bench {
  readonly clock: ReturnType<typeof virtualClock>
  open(): Promise<Runtime>
  /** Changes the file behind the back of the store. */
  damage(sql: string): Promise<void>
}

function benchFor(...workflows: AnyWorkflow[]): Bench {
  const file = join(directory, `${files++}.db`)
  const clock = virtualClock()
  return {
    clock,
    open: () =>
      createRuntime({
        store: sqliteStore(file),
        clock,
        random: seededRandom(3),
        logger: false,
        workflows,
        mode: 'minimal',
      }),
    async damage(sql) {
      const database = (await loadSqliteDriver()).open(file)
      database.exec(sql)
      database.close()
    },
  }
}

const typesOf = async (run: Run): Promise<string[]> => {
  const types = []
  for await (const { type } of run.events()) types.push(type)
  return types
}

const counting = () => {
  const done: string[] = []
  const count = (what: string) => {
    done.push(what)
    return what
  }
  const workflow = defineWorkflow({ name: 'w', version: '1', signals: { go: z.unknown() } })
    .stage('a', ({ step }) => step('a', () => count('a')))
    .map(
      'each',
      { over: () => ['x', 'y'], key: item => item, concurrency: 1 },
      async ({ item, step, waitFor, attempt }) => {
        if (item === 'y' && attempt === 1) throw Object.assign(new Error('busy'), { status: 503 })
        const value = await step('s', () => count(item))
        if (item === 'y') await waitFor('go')
        return value
      },
    )
    .stage('b', ({ results }) => ({ a: results.a, each: results.each }))
  return { done, workflow }
}

/** Lives until the run waits for its signal, damages the file, and goes on in the next process. */
async function damaged(sql: string | ((runtime: Runtime) => string), prepare?: (run: Run) => Promise<void>) {
  const { done, workflow } = counting()
  const bench = benchFor(workflow)
  const first = await bench.open()
  const run = await first.start(workflow, undefined, { id: 'r' })
  await bench.clock.advance('5s')
  expect(await run.status()).toBe('waiting')
  await prepare?.(run)
  await first.close()
  await bench.damage(typeof sql === 'string' ? sql : sql(first))
  return { done, bench, runtime: await bench.open() }
}

const whole = { success: true, output: { a: 'a', each: ['x', 'y'] }, attempts: 5 }

describe('a snapshot that cannot be restored', () => {
  const faults = {
    'is no JSON': `UPDATE run_states SET snapshot = substr(snapshot, 1, 100)`,
    'is empty': `UPDATE run_states SET snapshot = ''`,
    'is of nothing that we know': `UPDATE run_states SET snapshot = '{"status":"active","value":"elsewhere","context":{},"children":{}}'`,
    'has lost its flow': `UPDATE run_states SET snapshot = json_remove(snapshot, '$.children.flow')`,
    'has a flow in a state that there is not': `UPDATE run_states SET snapshot = json_set(snapshot, '$.children.flow.snapshot.value', 'nowhere')`,
  }
  it.each(Object.entries(faults))('since it %s is rebuilt from the journal: nothing is done again', async (_, sql) => {
    const { done, bench, runtime } = await damaged(sql)
    const run = await runtime.get('r')
    await run.signal('go', 1)
    expect(await settle(bench.clock, run.result())).toMatchObject(whole)
    expect(done).toEqual(['a', 'x', 'y'])
    const types = await typesOf(run)
    expect(types).toContain('snapshot.refused')
    expect(types).toContain('run.rebuilt')
    expect(types.filter(type => type === 'map.opened')).toHaveLength(1)
    expect(types.filter(type => type === 'stage.started')).toHaveLength(5)
    await runtime.close()
  })

  it('of a paused run is rebuilt as paused, and of one that is cancelled meanwhile as cancelled', async () => {
    for (const act of ['resume', 'cancel'] as const) {
      const { done, bench, runtime } = await damaged(faults['is no JSON'], run => run.pause())
      const run = await runtime.get('r')
      expect(await run.status()).toBe('paused')
      await bench.clock.advance('1h')
      await run[act]()
      if (act === 'resume') await run.signal('go', 1)
      const result = await settle(bench.clock, run.result())
      if (act === 'resume') expect(result).toMatchObject(whole)
      else expect(result).toMatchObject({ status: 'cancelled' })
      expect(done).toEqual(['a', 'x', 'y'])
      await runtime.close()
    }
  })

  it('of a run that is being cancelled is rebuilt without trying a stage once more, and undoes each stage once', async () => {
    let begunToUndo = 0
    let undo = (): void => {}
    const undone = new Promise<void>(resolve => {
      undo = resolve
    })
    const workflow = defineWorkflow({ name: 'w', version: '1', signals: { go: z.unknown() } })
      .stage(
        'a',
        {
          compensate: () => {
            begunToUndo++
            return undone
          },
        },
        () => 'a',
      )
      .stage('b', ({ waitFor }) => waitFor('go'))
    const bench = benchFor(workflow)
    const first = await bench.open()
    const begun = await first.start(workflow, undefined, { id: 'r' })
    await bench.clock.advance('5s')
    await begun.cancel('no more')
    await bench.clock.advance('5s')
    expect(await begun.status()).toBe('cancelling')
    await first.close()
    await bench.damage(faults['is no JSON'])
    expect(begunToUndo).toBe(1)
    undo()
    const runtime = await bench.open()
    const run = await runtime.get('r')
    expect(await settle(bench.clock, run.result())).toMatchObject({ status: 'cancelled' })
    const types = await typesOf(run)
    expect(types).toContain('run.rebuilt')
    expect(types.slice(types.indexOf('run.cancelling'))).not.toContain('stage.attempted')
    expect(types.filter(type => type === 'compensation.succeeded')).toHaveLength(1)
    expect(begunToUndo).toBe(2)
    await runtime.close()
    expect(bench.clock.pending).toBe(0)
  })

  it('of a machine of one’s own quarantines the run with its evidence, and nobody else', async () => {
    const machine = setup({ types: {} as { events: { type: 'GO' } } }).createMachine({
      id: 'own',
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: { type: 'final' } },
    })
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine })
    const bench = benchFor(workflow)
    const first = await bench.open()
    for (const id of ['bad', 'good']) await first.start(workflow, undefined as never, { id })
    await bench.clock.advance('1s')
    await first.close()
    await bench.damage(`UPDATE run_states SET snapshot = '{"half":' WHERE run = 1`)
    const second = await bench.open()
    const [bad, good] = [await second.get('bad'), await second.get('good')]
    await good.signal('GO')
    expect(await settle(bench.clock, good.result())).toMatchObject({ success: true })
    await bad.signal('GO').catch(() => {})
    expect(await settle(bench.clock, bad.result())).toMatchObject({
      status: 'quarantined',
      error: { code: 'snapshot_invalid', cause: { name: 'SyntaxError' } },
    })
    await second.close()
  })

  it('with a stage that had ended in an error goes on to the end that follows, instead of waiting for ever', async () => {
    const workflow = defineWorkflow({ name: 'w', version: '1' })
      .stage('a', ({ sleep }) => sleep('1h'))
      .stage('b', () => 'b')
    const bench = benchFor(workflow)
    const first = await bench.open()
    await first.start(workflow, undefined, { id: 'r' })
    await bench.clock.advance('1s')
    await first.close()
    const stage = '$.children.flow.snapshot.children.a.snapshot'
    const error = `json('{"name":"Error","message":"it was lost"}')`
    await bench.damage(`UPDATE run_states SET status = 'running', snapshot =
      json_set(snapshot, '${stage}.status', 'error', '${stage}.error', ${error}, '${stage}.value', 'failed')`)
    const second = await bench.open()
    expect(await settle(bench.clock, (await second.get('r')).result())).toMatchObject({
      status: 'failed',
      error: { message: 'it was lost', stage: 'a' },
    })
    await second.close()
  })
})

describe('a damaged row', () => {
  it('of a result lets its stage run once more, with its recorded steps', async () => {
    const { done, bench, runtime } = await damaged(
      `UPDATE journal SET data = '{"result":"a' WHERE type = 'stage.succeeded' AND stage = 'a'`,
    )
    const run = await runtime.get('r')
    await run.signal('go', 1)
    expect(await settle(bench.clock, run.result())).toMatchObject({ success: true, output: whole.output })
    expect(done).toEqual(['a', 'x', 'y'])
    expect(await typesOf(run)).toContain('record.corrupt')
    await runtime.close()
  })

  it('of the ledger is an outcome that nobody knows: the profile decides', async () => {
    const { done, bench, runtime } = await damaged(
      `UPDATE ledger SET data = 'x' WHERE kind = 'step' AND stage = 'each[y]'`,
    )
    const run = await runtime.get('r')
    await run.signal('go', 1)
    expect(await settle(bench.clock, run.result())).toMatchObject(whole)
    expect(done).toEqual(['a', 'x', 'y', 'y'])
    expect(await typesOf(run)).toContain('step.unknown')
    await runtime.close()
  })

  it.each(['3', '99', "'x'"])('of the number of its last event (%s) is told from the journal', async seq => {
    const { done, bench, runtime } = await damaged(`UPDATE run_states SET seq = ${seq}`)
    const run = await runtime.get('r')
    await run.signal('go', 1)
    expect(await settle(bench.clock, run.result())).toMatchObject(whole)
    expect(done).toEqual(['a', 'x', 'y'])
    expect(await typesOf(run)).toContain('record.corrupt')
    await runtime.close()
  })

  it.each(["data = '{'", `data = '{"kind":"dance"}'`, "due_at = 'soon'"])(
    'of a timer (%s) lets its stage begin again, with its recorded steps, and keeps no other run from waking',
    async damage => {
      const done: string[] = []
      const sleeper = defineWorkflow({ name: 'sleeper', version: '1' }).stage('a', async ({ step, sleep, runId }) => {
        await step('s', () => void done.push(runId))
        await sleep('1h')
        return 'rested'
      })
      const bench = benchFor(sleeper)
      const first = await bench.open()
      for (const id of ['r', 'other']) await first.start(sleeper, undefined, { id })
      await bench.clock.advance('5s')
      await first.close()
      await bench.damage(`UPDATE timers SET ${damage} WHERE run = 1`)
      const runtime = await bench.open()
      for (const id of ['r', 'other']) {
        const run = await runtime.get(id)
        expect(await settle(bench.clock, run.result(), 60_000)).toMatchObject({ success: true, output: 'rested' })
      }
      expect(done).toEqual(['r', 'other'])
      expect(await typesOf(await runtime.get('r'))).toContain('record.corrupt')
      await runtime.close()
    },
  )

  it('of counters or tags costs what it holds, and no more', async () => {
    const { bench, runtime } = await damaged(`UPDATE run_states SET counters = '{'; UPDATE runs SET tags = '['`)
    const run = await runtime.get('r')
    expect((await runtime.list()).items).toHaveLength(1)
    await run.signal('go', 1)
    expect(await settle(bench.clock, run.result())).toMatchObject({ success: true, output: whole.output })
    await runtime.close()
  })

  it('of the options or the input sets the run aside, and the others go on', async () => {
    for (const column of ['options', 'input']) {
      const { workflow } = counting()
      const bench = benchFor(workflow)
      const first = await bench.open()
      for (const id of ['bad', 'good']) await first.start(workflow, undefined, { id })
      await bench.clock.advance('5s')
      await first.close()
      await bench.damage(
        `UPDATE runs SET ${column} = '{"half' WHERE run_id = 'bad'; UPDATE run_states SET status = 'running'`,
      )
      const second = await bench.open()
      const good = await second.get('good')
      await good.signal('go', 1)
      expect(await settle(bench.clock, good.result())).toMatchObject({ success: true })
      expect(await (await second.get('bad')).result()).toMatchObject({
        status: 'quarantined',
        error: { message: expect.stringContaining(column) },
      })
      await second.close()
    }
  })

  it('or page that the disk no longer gives back keeps no other run from going on', async () => {
    const workflow = defineWorkflow({ name: 'w', version: '1' }).stage('a', async ({ incarnation }) => {
      if (incarnation === 1) await new Promise(() => {})
      return incarnation
    })
    const world = createWorld()
    const first = await world.open({ workflows: [workflow] })
    for (const id of ['one', 'bad', 'two']) await first.start(workflow, undefined, { id })
    await world.clock.advance('1s')
    await first.close()
    const broken: Store = {
      ...world.store,
      load: async (ids, types) => {
        if (ids.includes('bad')) throw new StoreError('store_corrupt', 'database disk image is malformed')
        return world.store.load(ids, types)
      },
    }
    const second = await world.open({ store: broken, workflows: [workflow], recover: false })
    expect(await second.recover()).toEqual({
      recovered: ['one', 'two'],
      skipped: [{ id: 'bad', reason: 'database disk image is malformed' }],
    })
    for (const id of ['one', 'two']) {
      expect(await settle(world.clock, (await second.get(id)).result())).toMatchObject({ output: 2 })
    }
    await second.close()
  })
})
