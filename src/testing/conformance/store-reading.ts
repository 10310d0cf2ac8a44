/** Cases about reading a run back: its row, its journal, its ledger, and everything that it needs to go on. */
import assert from 'node:assert/strict'
import { claimedCase, entry, event, type StoreCase, start, stateOf, storeCase } from './store-case.ts'

export const readingCases: readonly StoreCase[] = [
  storeCase('a store that was never claimed reads as empty', async store => {
    assert.equal(await store.readRun('r'), undefined)
    assert.deepEqual(await store.unfinished(), [])
    assert.deepEqual(await store.sleepingTimers(), [])
    assert.deepEqual(await store.load(['r'], ['run.started']), [])
    assert.deepEqual(await store.list({}), { items: [] })
    assert.deepEqual(await store.readJournal('r'), [])
    assert.deepEqual(await store.readLedger('r'), [])
    assert.equal(await store.owner(), undefined)
    assert.deepEqual(await store.pendingCommands(), [])
    assert.equal(await store.readReply('c'), undefined)
  }),

  claimedCase('an unknown run has no row, no journal and no ledger', async (store, epoch) => {
    await store.commit(epoch, [start('r')])
    assert.equal(await store.readRun('R'), undefined)
    assert.deepEqual(await store.readJournal('nobody'), [])
    assert.deepEqual(await store.readLedger('nobody'), [])
  }),

  claimedCase('the journal is read in order, from where one likes, in portions', async (store, epoch) => {
    const events = Array.from({ length: 1_100 }, (_, index) => event(index + 1))
    await store.commit(epoch, [start('r', { journal: events.slice(0, 500) }), start('other', { journal: [event(1)] })])
    await store.commit(epoch, [{ runId: 'r', journal: events.slice(500) }])
    assert.deepEqual(await store.readJournal('r'), events.slice(0, 1_000))
    assert.deepEqual(await store.readJournal('r', { after: 1_000 }), events.slice(1_000))
    assert.deepEqual(await store.readJournal('r', { after: 3, limit: 2 }), events.slice(3, 5))
    assert.deepEqual(await store.readJournal('r', { limit: 5_000 }), events)
    assert.deepEqual(await store.readJournal('r', { after: 1_100 }), [])
  }),

  claimedCase('journals and ledgers of runs are apart', async (store, epoch) => {
    await store.commit(epoch, [
      start('a', { journal: [event(1)], ledger: [entry('k', { data: '1' })] }),
      start('b', { journal: [event(1, { data: '2' })], ledger: [entry('k', { data: '2' })] }),
    ])
    assert.deepEqual(await store.readJournal('b'), [event(1, { data: '2' })])
    assert.deepEqual(await store.readLedger('a'), [entry('k', { data: '1' })])
  }),

  claimedCase(
    'load gives the runs as asked, without the unknown, with the journal types as asked',
    async (store, epoch) => {
      const kinds = ['run.started', 'stage.started', 'stage.succeeded', 'stage.started']
      const journal = kinds.map((type, index) => event(index + 1, { type }))
      await store.commit(epoch, [start('a', { journal }), start('b')])
      const loaded = await store.load(['b', 'nobody', 'a'], ['stage.started', 'run.started'])
      assert.deepEqual(
        loaded.map(({ run }) => run.id),
        ['b', 'a'],
      )
      assert.deepEqual(
        loaded[1]?.journal.map(row => row.seq),
        [1, 2, 4],
      )
      assert.deepEqual((await store.load(['a'], []))[0]?.journal, [])
    },
  ),

  claimedCase('the unfinished runs come oldest first', async (store, epoch) => {
    const statuses = [
      'completed',
      'running',
      'failed',
      'paused',
      'pending',
      'quarantined',
      'recovering',
      'cancelled',
    ] as const
    for (const [index, status] of statuses.entries()) {
      await store.commit(epoch, [start(`r${index}`, { state: stateOf({ status }) })])
    }
    await store.commit(epoch, [
      start('r8', { state: stateOf({ status: 'budget_exceeded' }) }),
      start('r9', { state: stateOf({ status: 'waiting' }) }),
      start('r10', { state: stateOf({ status: 'cancelling' }) }),
      { runId: 'r1', state: stateOf({ status: 'waiting' }) },
    ])
    assert.deepEqual(await store.unfinished(), ['r1', 'r3', 'r4', 'r6', 'r9', 'r10'])
    assert.deepEqual(await store.unfinished({ status: ['waiting', 'failed'] }), ['r1', 'r9'])
    assert.deepEqual(await store.unfinished({ status: ['waiting', 'paused', 'pending'], limit: 2 }), ['r1', 'r3'])
    assert.deepEqual(await store.unfinished({ limit: 3 }), ['r1', 'r3', 'r4'])
  }),

  claimedCase('the timers of runs that sleep come as they are due, from where one likes', async (store, epoch) => {
    const timer = (key: string, dueAt: number) => ({ key, dueAt, data: '{}' })
    const sleeping = (runId: string, status: 'waiting' | 'paused' | 'running', timers: ReturnType<typeof timer>[]) =>
      start(runId, { state: stateOf({ status }), setTimers: timers })
    await store.commit(epoch, [
      sleeping('a', 'waiting', [timer('y', 30), timer('x', 30), timer('run:deadline', 90)]),
      sleeping('b', 'running', [timer('x', 10)]),
      sleeping('c', 'paused', [timer('x', 20), timer('run:deadline', 40)]),
      sleeping('d', 'waiting', [timer('x', 30), timer('z', 5)]),
    ])
    const all = [
      { runId: 'd', key: 'z', dueAt: 5 },
      { runId: 'a', key: 'x', dueAt: 30 },
      { runId: 'a', key: 'y', dueAt: 30 },
      { runId: 'd', key: 'x', dueAt: 30 },
      { runId: 'c', key: 'run:deadline', dueAt: 40 },
      { runId: 'a', key: 'run:deadline', dueAt: 90 },
    ]
    assert.deepEqual(await store.sleepingTimers(), all)
    assert.deepEqual(await store.sleepingTimers({ limit: 2 }), all.slice(0, 2))
    for (const [index, above] of all.entries()) {
      assert.deepEqual(await store.sleepingTimers({ above, limit: 2 }), all.slice(index + 1, index + 3))
    }
    await store.commit(epoch, [{ runId: 'd', state: stateOf({ status: 'completed' }), clearTimers: ['x', 'z'] }])
    await store.commit(epoch, [{ runId: 'a', clearTimers: ['x'] }])
    assert.deepEqual(await store.sleepingTimers({ limit: 1 }), all.slice(2, 3))
  }),
]
