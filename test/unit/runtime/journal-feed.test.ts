import { describe, expect, test } from 'vitest'
import { createJournalFeed } from '../../../src/runtime/commits/journal-feed.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import type { JournalRow } from '../../../src/store/store.ts'

async function aFeed() {
  const store = memoryStore()
  const { epoch } = await store.claim({ pid: 1, host: 'here', at: 1 })
  const journal = [{ seq: 1, at: 1, type: 'run.started', schemaVersion: 1, data: '{}' }]
  const create = {
    workflow: 'w',
    version: '1',
    definitionHash: 'h',
    input: '{}',
    options: '{}',
    tags: [],
    createdAt: 1,
  }
  await store.commit(epoch, [{ runId: 'r', create, journal }])
  return createJournalFeed(store, error => {
    throw error
  })
}

async function seqsOf(events: AsyncIterable<{ readonly seq: number }>): Promise<number[]> {
  const seqs: number[] = []
  for await (const { seq } of events) seqs.push(seq)
  return seqs
}

describe('what comes of all runs', () => {
  const row: JournalRow = { seq: 2, at: 2, type: 'run.completed', schemaVersion: 1, data: '{}' }

  test('is given from when the iteration was begun, though nothing was asked of it yet', async () => {
    const feed = await aFeed()
    const events = feed.followAll()[Symbol.asyncIterator]()
    feed.announce('r', [row])
    expect((await events.next()).value).toMatchObject({ runId: 'r', seq: 2 })
  })

  test('is kept for nobody after an iteration that was ended before its first event', async () => {
    const feed = await aFeed()
    const events = feed.followAll()[Symbol.asyncIterator]()
    await events.return?.()
    feed.announce('r', [row])
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a feed that is closed', () => {
  test('ends the iterations that wait', async () => {
    const feed = await aFeed()
    const [one, all] = [feed.follow('r', 1, async () => false), feed.followAll()]
    const ended = Promise.all([seqsOf(one), seqsOf(all)])
    feed.close()
    expect(await ended).toEqual([[1], []])
  })

  test('ends an iteration that is begun later, after what is stored already', async () => {
    const feed = await aFeed()
    feed.close()
    expect(await seqsOf(feed.followAll())).toEqual([])
    expect(await seqsOf(feed.follow('r', 1, async () => false))).toEqual([1])
  })
})
