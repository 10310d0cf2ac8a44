import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import type { Store } from '../../src/store/store.ts'
import { newRun, stateOf } from '../../src/testing/conformance/store-case.ts'
import { storeConformance } from '../../src/testing/store-conformance.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import { storeWithThread, untilInThread } from '../support/writer-thread.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-thread-'))
let files = 0
const newFile = (): string => join(directory, `${files++}`, 'holdfast.db')

afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Whoever claims it goes on when its writes have their thread. */
function open(): Store {
  const store = storeWithThread(newFile())
  return {
    ...store,
    async claim(claimant) {
      const owner = await store.claim(claimant)
      await untilInThread(store)
      return owner
    },
  }
}

describe('a store whose owner writes in a thread of its own', () => {
  test.each(storeConformance)('$name', ({ run }) => run(open))

  test('tells the settings of the connection that commits', async () => {
    const store = open()
    await store.claim({ pid: 1, host: 'here', at: 1 })
    expect((await store.describe()).settings).toMatchObject({ journal_mode: 'wal', synchronous: 2, fullfsync: 1 })
    await store.close()
  })

  test('does what was asked before it is closed, and can be claimed again', async () => {
    const store = open()
    for (const [round, ids] of [['a', 'b'], ['c']].entries()) {
      const { epoch } = await store.claim({ pid: 1, host: 'here', at: 1 })
      expect(epoch).toBe(round + 1)
      const commits = ids.map(runId => store.commit(epoch, [{ runId, create: newRun(), state: stateOf() }]))
      await store.close()
      await Promise.all(commits)
    }
    expect(await store.unfinished()).toEqual(['a', 'b', 'c'])
    await store.close()
  })

  test('is closed in order though its thread has only begun to start', async () => {
    const store = storeWithThread(newFile())
    const { epoch } = await store.claim({ pid: 1, host: 'here', at: 1 })
    await store.commit(epoch, [{ runId: 'a', create: newRun(), state: stateOf() }])
    await store.close()
    expect(await store.unfinished()).toEqual(['a'])
    await store.close()
  })

  test('is written some of many runs while the functions of others work', async () => {
    let underWay = 0
    let workedMeanwhile = 0
    const store = open()
    const commit: Store['commit'] = async (epoch, writes) => {
      underWay++
      await store.commit(epoch, writes)
      underWay--
    }
    const work = async () => {
      if (underWay > 0) workedMeanwhile++
    }
    const workflow = defineWorkflow({ name: 'many', version: '1' }).stage('a', work).stage('b', work).stage('c', work)
    const runtime = await createRuntime({ store: { ...store, commit }, workflows: [workflow], logger: false })
    const runs = await Promise.all(Array.from({ length: 200 }, () => runtime.start(workflow)))
    const results = await Promise.all(runs.map(run => run.result()))
    expect(results.every(({ success }) => success)).toBe(true)
    expect(workedMeanwhile).toBeGreaterThan(0)
    await runtime.close()
  })
})
