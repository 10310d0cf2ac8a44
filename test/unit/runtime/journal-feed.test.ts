import { describe, expect, test } from 'vitest'
import { createJournalFeed } from '../../../src/runtime/commits/journal-feed.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'

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
