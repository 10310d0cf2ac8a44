/** Cases about who may write: claim, epoch, fencing, closing and coming back. */
import assert from 'node:assert/strict'
import { claim, claimedCase, event, type StoreCase, start, storeCase } from './store-case.ts'

export const ownershipCases: readonly StoreCase[] = [
  storeCase('a claim says who holds it, and everybody can read it', async store => {
    assert.equal(await store.owner(), undefined)
    const owner = await store.claim({ pid: 4711, host: 'here', at: 1_000 })
    assert.ok(Number.isSafeInteger(owner.epoch) && owner.epoch > 0, `epoch ${owner.epoch}`)
    assert.deepEqual({ ...owner }, { pid: 4711, host: 'here', epoch: owner.epoch, claimedAt: 1_000 })
    assert.deepEqual({ ...(await store.owner()) }, { ...owner })
  }),

  claimedCase('a second claim is refused while the first is held, and names its holder', async (store, epoch) => {
    await assert.rejects(store.claim({ pid: 4712, host: 'there', at: 2_000 }), (error: unknown) => {
      const { code, details } = error as { code: string; details: { owner: { pid: number; epoch: number } } }
      assert.equal(code, 'store_owned')
      assert.equal(details.owner.pid, 4711)
      assert.equal(details.owner.epoch, epoch)
      return true
    })
    await store.commit(epoch, [start('r')])
  }),

  claimedCase('every claim has a higher epoch than any before, and what was stored is there', async (store, first) => {
    await store.commit(first, [start('r', { journal: [event(1)] })])
    await store.close()
    assert.equal(await store.owner(), undefined)
    const second = await claim(store)
    assert.ok(second > first, `${second} after ${first}`)
    assert.deepEqual(await store.unfinished(), ['r'])
    assert.deepEqual(await store.readJournal('r'), [event(1)])
    await store.commit(second, [{ runId: 'r', journal: [event(2)] }])
    await store.close()
    assert.ok((await claim(store)) > second)
  }),

  claimedCase('a write with an old epoch changes nothing and is told so', async (store, old) => {
    await store.commit(old, [start('r')])
    await store.enqueueCommand({ id: 'c', name: 'cancel', runId: 'r', args: '{}', at: 1 })
    await store.close()
    const current = await claim(store)
    const fenced = { name: 'LeaseLostError', code: 'lease_lost' }
    await assert.rejects(store.commit(old, [{ runId: 'r', journal: [event(1)] }, start('other')]), fenced)
    await assert.rejects(store.replyToCommand(old, 'c', { value: '1' }), fenced)
    await assert.rejects(store.commit(current + 1, [start('other')]), fenced)
    assert.deepEqual(await store.readJournal('r'), [])
    assert.equal(await store.readRun('other'), undefined)
    assert.equal(await store.readReply('c'), undefined)
    await store.commit(current, [{ runId: 'r', journal: [event(1)] }])
  }),

  storeCase('nobody writes runs without a claim, neither before the first nor after closing', async store => {
    const fenced = { name: 'LeaseLostError', code: 'lease_lost' }
    await assert.rejects(store.commit(1, [start('r')]), fenced)
    const epoch = await claim(store)
    await store.close()
    await assert.rejects(store.commit(epoch, [start('r')]), fenced)
    await assert.rejects(store.replyToCommand(epoch, 'c', { value: '1' }), fenced)
    assert.equal(await store.readRun('r'), undefined)
  }),

  claimedCase('closing twice is closing once, and reading goes on', async (store, epoch) => {
    await store.commit(epoch, [start('r')])
    await store.close()
    await store.close()
    assert.equal((await store.readRun('r'))?.id, 'r')
  }),

  storeCase('a store describes itself', async store => {
    await claim(store)
    const description = await store.describe()
    assert.ok(description.kind.length > 0 && description.location.length > 0)
    assert.ok(['fsync', 'process'].includes(description.durability))
    assert.ok(description.schemaVersion >= 1)
    assert.equal(typeof description.settings, 'object')
  }),
]
