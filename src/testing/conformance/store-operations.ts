/** Cases about what is done to a store as a whole: ended runs and answered commands go, all journals are read as one. */
import assert from 'node:assert/strict'
import type { RunStatus, Store } from '../../store/store.ts'
import { claim, claimedCase, entry, event, newRun, type StoreCase, start, stateOf } from './store-case.ts'

const ended = (status: RunStatus, endedAt: number) =>
  stateOf({ status, endedAt, snapshot: null, seq: 1, outcome: '{}' })

const child = (runId: string, parent: string, state = ended('completed', 10)) =>
  start(runId, { create: newRun({ parent: { runId: parent, stage: 'collect' } }), state, journal: [event(1)] })

const parentOf = (runId: string, childId: string, state = ended('completed', 10)) =>
  start(runId, {
    state,
    journal: [event(1)],
    ledger: [entry('child:1', { kind: 'child', state: 'succeeded', data: JSON.stringify({ id: childId }) })],
  })

const old = { status: ['completed'], endedBefore: 100, limit: 10 } as const

/** The runs were created at 1, so that their ends may be early. */
const early = (runId: string, state = ended('completed', 10)) =>
  start(runId, { create: newRun({ createdAt: 1 }), state, journal: [event(1)] })

const ids = async (store: Store): Promise<string[]> => (await store.list({})).items.map(({ id }) => id).sort()

export const operationCases: readonly StoreCase[] = [
  claimedCase(
    'a purge deletes ended runs of the wanted ends, whole, oldest first and no more than asked',
    async (store, epoch) => {
      await store.commit(epoch, [
        early('a'),
        early('b'),
        early('late', ended('completed', 100)),
        early('failed', ended('failed', 10)),
        start('running', { create: newRun({ createdAt: 1 }), state: stateOf() }),
      ])
      assert.deepEqual(await store.purge(epoch, { ...old, limit: 1 }), ['a'])
      assert.deepEqual(await store.purge(epoch, old), ['b'])
      assert.deepEqual(await store.purge(epoch, old), [])
      assert.deepEqual(await ids(store), ['failed', 'late', 'running'])
      assert.equal(await store.readRun('a'), undefined)
      assert.deepEqual(await store.readJournal('a'), [])
      await store.commit(epoch, [early('a')])
      assert.equal((await store.readJournal('a')).length, 1)
    },
  ),

  claimedCase('a purge takes children with their parent, and no child before it', async (store, epoch) => {
    const at = { createdAt: 1 }
    const family = [parentOf('p', 'c', ended('completed', 200)), child('c', 'p')]
    await store.commit(
      epoch,
      family.map(write => ({ ...write, create: { ...write.create, ...at } as never })),
    )
    assert.deepEqual(await store.purge(epoch, old), [])
    assert.deepEqual([...(await store.purge(epoch, { ...old, endedBefore: 300 }))].sort(), ['c', 'p'])
    assert.deepEqual(await ids(store), [])
  }),

  claimedCase('a purge leaves a run of which a child is unfinished', async (store, epoch) => {
    const at = { createdAt: 1 }
    const family = [parentOf('p', 'c'), child('c', 'p', stateOf({ status: 'running', seq: 1 }))]
    await store.commit(
      epoch,
      family.map(write => ({ ...write, create: { ...write.create, ...at } as never })),
    )
    assert.deepEqual(await store.purge(epoch, old), [])
    assert.deepEqual(await ids(store), ['c', 'p'])
  }),

  claimedCase('a purge with an epoch of before deletes nothing', async (store, epoch) => {
    await store.commit(epoch, [early('a')])
    await store.close()
    await claim(store)
    await assert.rejects(store.purge(epoch, old), { code: 'lease_lost' })
    await assert.rejects(store.purgeCommands(epoch, 100), { code: 'lease_lost' })
    assert.deepEqual(await ids(store), ['a'])
  }),

  claimedCase('commands that were answered and left long ago are deleted, others stay', async (store, epoch) => {
    const command = (id: string, at: number) => ({ id, name: 'cancel', runId: 'r', args: '{}', at })
    await store.enqueueCommand(command('old', 10))
    await store.enqueueCommand(command('new', 200))
    await store.enqueueCommand(command('open', 10))
    await store.replyToCommand(epoch, 'old', { value: '1' })
    await store.replyToCommand(epoch, 'new', { value: '1' })
    assert.equal(await store.purgeCommands(epoch, 100), 1)
    assert.equal(await store.readReply('old'), undefined)
    assert.deepEqual({ ...(await store.readReply('new')) }, { value: '1' })
    assert.deepEqual(
      (await store.pendingCommands()).map(({ id }) => id),
      ['open'],
    )
  }),

  claimedCase('the journals of all runs are read in the order of writing, from any position', async (store, epoch) => {
    await store.commit(epoch, [start('a', { journal: [event(1)] }), start('b', { journal: [event(1), event(2)] })])
    await store.commit(epoch, [{ runId: 'a', journal: [event(2, { stage: 'collect' })] }])
    const all = await store.readEvents(0, 10)
    assert.deepEqual(
      all.map(({ runId, row }) => `${runId} ${row.seq}`),
      ['a 1', 'b 1', 'b 2', 'a 2'],
    )
    assert.deepEqual({ ...all[3]?.row }, event(2, { stage: 'collect' }))
    const positions = all.map(({ position }) => position)
    assert.deepEqual(
      positions,
      [...positions].sort((a, b) => a - b),
    )
    assert.deepEqual(await store.readEvents(positions[1] as number, 1), [all[2]])
    assert.deepEqual(await store.readEvents(positions[3] as number, 10), [])
  }),
]
