/** Cases about lists of runs: newest first, every filter, and pages that hold still while runs are started. */
import assert from 'node:assert/strict'
import type { RunFilter, Store } from '../../store/store.ts'
import { claimedCase, newRun, type StoreCase, start, stateOf } from './store-case.ts'

export const listingCases: readonly StoreCase[] = [
  claimedCase('runs are listed newest first, those of one moment by their order of creation', async (store, epoch) => {
    await store.commit(epoch, [created('a', 5), created('b', 7), created('c', 5), created('d', 6)])
    assert.deepEqual(await ids(store, {}), ['b', 'd', 'c', 'a'])
  }),

  claimedCase('each filter narrows the list, and they add up', async (store, epoch) => {
    await store.commit(epoch, [
      start('one', {
        create: newRun({ tags: ['Nightly', 'x'], createdAt: 1 }),
        state: stateOf({ status: 'completed' }),
      }),
      start('two', { create: newRun({ tags: ['x'], createdAt: 2 }), state: stateOf({ status: 'failed' }) }),
      start('three', { create: newRun({ workflow: 'Build', createdAt: 3 }), state: stateOf({ status: 'waiting' }) }),
    ])
    const expectations: readonly (readonly [RunFilter, readonly string[]])[] = [
      [{ status: ['completed'] }, ['one']],
      [{ status: ['failed', 'waiting'] }, ['three', 'two']],
      [{ status: ['failed', 'completed'] }, ['two', 'one']],
      [{ status: [] }, []],
      [{ workflow: 'Build' }, ['three']],
      [{ workflow: 'build' }, []],
      [{ tags: ['x'] }, ['two', 'one']],
      [{ tags: ['x', 'Nightly'] }, ['one']],
      [{ tags: ['nightly'] }, []],
      [{ tags: [] }, ['three', 'two', 'one']],
      [{ text: 'NIGHT' }, ['one']],
      [{ text: 'buil' }, ['three']],
      [{ text: 'tWo' }, ['two']],
      [{ text: '%' }, []],
      [{ since: 2 }, ['three', 'two']],
      [{ text: 'o', tags: ['x'], since: 2 }, ['two']],
    ]
    for (const [filter, expected] of expectations) {
      assert.deepEqual(await ids(store, filter), expected, JSON.stringify(filter))
    }
  }),

  claimedCase('letters are compared without case beyond ASCII too', async (store, epoch) => {
    await store.commit(epoch, [created('ÜBUNG', 1), created('x', 2)])
    assert.deepEqual(await ids(store, { text: 'übung' }), ['ÜBUNG'])
  }),

  claimedCase('pages neither repeat nor skip a run, while others are started', async (store, epoch) => {
    for (let n = 1; n <= 7; n++) await store.commit(epoch, [created(`r${n}`, Math.ceil(n / 2))])
    const seen: string[] = []
    let cursor: string | undefined
    for (let page = 0; page < 4; page++) {
      const { items, nextCursor } = await store.list({ limit: 2, cursor })
      seen.push(...items.map(run => run.id))
      assert.equal(nextCursor === undefined, page === 3, `page ${page}`)
      cursor = nextCursor
      await store.commit(epoch, [created(`new${page}`, 100 + page)])
    }
    assert.deepEqual(seen, ['r7', 'r6', 'r5', 'r4', 'r3', 'r2', 'r1'])
  }),

  claimedCase('a page that the runs fill exactly is the last', async (store, epoch) => {
    await store.commit(epoch, [created('a', 1), created('b', 2)])
    assert.equal((await store.list({ limit: 2 })).nextCursor, undefined)
  }),

  claimedCase('a page holds 100 runs unless told, and 1000 at most', async (store, epoch) => {
    await store.commit(
      epoch,
      Array.from({ length: 1_001 }, (_, n) => created(`r${n}`, n)),
    )
    assert.equal((await store.list({})).items.length, 100)
    assert.equal((await store.list({ limit: 5_000 })).items.length, 1_000)
    assert.equal((await store.list({ limit: 0 })).items.length, 1)
  }),

  claimedCase('a cursor that no list gave is refused', async store => {
    for (const cursor of ['', 'nonsense', Buffer.from('1/x').toString('base64url')]) {
      await assert.rejects(store.list({ cursor }), { code: 'invalid_options' }, cursor)
    }
  }),
]

const created = (runId: string, createdAt: number) => start(runId, { create: newRun({ createdAt }) })

const ids = async (store: Store, filter: RunFilter): Promise<readonly string[]> =>
  (await store.list(filter)).items.map(run => run.id)
