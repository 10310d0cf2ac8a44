/** Cases about commits: what one holds, that it is applied wholly or not at all, and that values come back exactly. */
import assert from 'node:assert/strict'
import type { RunWrite, Store } from '../../store/store.ts'
import { claimedCase, entry, event, newRun, type StoreCase, start, stateOf } from './store-case.ts'

export const writingCases: readonly StoreCase[] = [
  claimedCase('one commit holds all that belongs to a run', async (store, epoch) => {
    await store.commit(epoch, [fullWrite])
    assert.deepEqual(await store.load(['r'], ['stage.succeeded']), [
      {
        run: { id: 'r', ...newRun(), ...stateOf({ seq: 2 }) },
        journal: [event(2)],
        ledger: [entry('k')],
        timers: [{ key: 'timeout', dueAt: 9_000, data: '{"stage":"collect"}' }],
        signals: [{ ordinal: 1, name: 'approval', payload: '{"ok":true}', at: 3_000, consumed: false }],
      },
    ])
  }),

  claimedCase('a run that was created without a state is pending', async (store, epoch) => {
    await store.commit(epoch, [start('r')])
    const state = { status: 'pending', snapshot: null, seq: 0, endedAt: null, outcome: null } as const
    assert.deepEqual(await store.readRun('r'), {
      id: 'r',
      ...newRun(),
      ...stateOf({ ...state, updatedAt: newRun().createdAt }),
    })
  }),

  claimedCase('a write that is refused leaves nothing of its whole batch', async (store, epoch) => {
    await store.commit(epoch, [start('old', { journal: [event(1)], addSignals: [signal(1)] })])
    const contradictions: readonly (readonly [RunWrite, string])[] = [
      [start('old'), 'run_conflict'],
      [{ runId: 'nobody', state: stateOf() }, 'run_not_found'],
      [{ runId: 'old', journal: [event(2), event(1)] }, 'store_failed'],
      [{ runId: 'old', journal: [event(2), event(2)] }, 'store_failed'],
      [{ runId: 'old', addSignals: [signal(1)] }, 'store_failed'],
      [start('nul \0'), 'invalid_value'],
      [{ runId: 'old', ledger: [entry('half \ud83d')] }, 'invalid_value'],
    ]
    const sound: RunWrite = {
      ...fullWrite,
      runId: 'old',
      create: undefined,
      journal: [event(8)],
      addSignals: [signal(8)],
    }
    for (const [refused, code] of contradictions) {
      await assert.rejects(store.commit(epoch, [start('new'), sound, refused, start('last')]), { code })
      assert.equal(await store.readRun('new'), undefined)
      assert.equal(await store.readRun('last'), undefined)
      await assertUntouched(store)
    }
    await store.commit(epoch, [start('new'), sound, { runId: 'old', journal: [event(2)] }])
  }),

  claimedCase('a write that names another definition changes it, and nothing else of the run', async (store, epoch) => {
    await store.commit(epoch, [start('r', { state: stateOf() }), start('other')])
    const definition = { version: '2', definitionHash: 'def' }
    await store.commit(epoch, [{ runId: 'r', definition, state: stateOf({ seq: 1 }), journal: [event(1)] }])
    const expected = { id: 'r', ...newRun(), ...definition, ...stateOf({ seq: 1 }) }
    assert.deepEqual(await store.readRun('r'), expected)
    assert.deepEqual((await store.load(['r'], []))[0]?.run, expected)
    assert.equal((await store.readRun('other'))?.version, '1')
    await assert.rejects(store.commit(epoch, [{ runId: 'nobody', definition }]), { code: 'run_not_found' })
  }),

  claimedCase('a run can be created and written again in one batch, but not created twice', async (store, epoch) => {
    await assert.rejects(store.commit(epoch, [start('r'), start('r')]), { code: 'run_conflict' })
    await store.commit(epoch, [start('r'), { runId: 'r', state: stateOf({ seq: 1 }), journal: [event(1)] }])
    assert.equal((await store.readRun('r'))?.seq, 1)
  }),

  claimedCase('an id can be used after the batch that would have created it was refused', async (store, epoch) => {
    await assert.rejects(store.commit(epoch, [start('r'), start('r')]))
    await assert.rejects(store.commit(epoch, [{ runId: 'r', journal: [event(1)] }]), { code: 'run_not_found' })
    await store.commit(epoch, [start('r')])
  }),

  claimedCase('a state replaces the one before, back and forth between ended and not', async (store, epoch) => {
    await store.commit(epoch, [start('r', { state: stateOf() })])
    for (const status of ['waiting', 'waiting', 'failed', 'running', 'completed', 'cancelled', 'pending'] as const) {
      const isOpen = status === 'waiting' || status === 'running' || status === 'pending'
      const state = stateOf({ status, endedAt: isOpen ? null : 5, snapshot: isOpen ? '{}' : null, counters: '{"a":1}' })
      await store.commit(epoch, [{ runId: 'r', state }])
      assert.deepEqual(await store.readRun('r'), { id: 'r', ...newRun(), ...state })
      assert.deepEqual(await store.unfinished(), isOpen ? ['r'] : [])
      assert.equal((await store.list({ status: [status] })).items.length, 1)
    }
  }),

  claimedCase('a ledger entry is replaced where its key exists, and keeps its place', async (store, epoch) => {
    const other = entry('a', { stage: 'review' })
    await store.commit(epoch, [start('r', { ledger: [entry('a'), entry('b'), other] })])
    const known = entry('a', { kind: 'step', state: 'succeeded', data: '{"text":"yes"}' })
    await store.commit(epoch, [{ runId: 'r', ledger: [known, entry('c')] }])
    assert.deepEqual(await store.readLedger('r'), [known, entry('b'), other, entry('c')])
  }),

  claimedCase(
    'timers are set, replaced and cleared; one that is cleared and set in one write is set',
    async (store, epoch) => {
      const timer = (key: string, dueAt: number) => ({ key, dueAt, data: `"${key}"` })
      await store.commit(epoch, [
        start('r', { setTimers: [timer('c', 30), timer('a', 20), timer('b', 10)] }),
        start('s'),
      ])
      await store.commit(epoch, [{ runId: 's', clearTimers: ['a'], setTimers: [timer('a', 2 ** 45)] }])
      await store.commit(epoch, [{ runId: 'r', clearTimers: ['b', 'a', 'unknown'], setTimers: [timer('a', 40)] }])
      const [r, s] = await store.load(['r', 's'], [])
      assert.deepEqual(r?.timers, [timer('c', 30), timer('a', 40)])
      assert.deepEqual(s?.timers, [timer('a', 2 ** 45)])
    },
  ),

  claimedCase('signals come back in their order until they are taken', async (store, epoch) => {
    await store.commit(epoch, [start('r', { addSignals: [signal(2), signal(1)] })])
    await store.commit(epoch, [{ runId: 'r', addSignals: [signal(3), signal(4)], consumeSignals: [1, 4, 99] }])
    const [run] = await store.load(['r'], [])
    assert.deepEqual(run?.signals, [
      { ...signal(2), consumed: false },
      { ...signal(3), consumed: false },
    ])
    await assert.rejects(store.commit(epoch, [{ runId: 'r', addSignals: [signal(1)] }]), { code: 'store_failed' })
  }),

  claimedCase('values and names come back exactly', async (store, epoch) => {
    const text = JSON.stringify({ text: 'é 😀 \u0000 \u2028 \ud83d "\\ 漢字', ' null': null, zero: -0, tiny: 5e-324 })
    const run = newRun({
      input: text,
      options: 'null',
      tags: ['😀', 'a,b', '["'],
      source: '/ü/x.ts',
      createdAt: 2 ** 45,
    })
    const parent = { runId: "it's", stage: 'fan[é]' }
    const write: RunWrite = {
      runId: 'r-😀 %_\n',
      create: { ...run, parent },
      state: stateOf({ snapshot: text, outcome: text, counters: text, updatedAt: 1.5, endedAt: 0 }),
      journal: [event(1, { data: text, stage: 'fan[é]', attempt: 1, incarnation: 2 }), event(2, { stage: '' })],
      ledger: [entry('k\n"', { data: text })],
    }
    await store.commit(epoch, [write])
    assert.deepEqual(await store.readRun(write.runId), { id: write.runId, ...write.create, ...write.state })
    assert.deepEqual(await store.readJournal(write.runId), write.journal)
    assert.deepEqual(await store.readLedger(write.runId), write.ledger)
  }),

  claimedCase('nothing is shared with the caller', async (store, epoch) => {
    const tags = ['a']
    const row = { ...event(1) }
    await store.commit(epoch, [start('r', { create: newRun({ tags }), journal: [row] })])
    tags.push('b')
    Object.assign(row, { data: '"changed"' })
    assert.deepEqual((await store.readRun('r'))?.tags, ['a'])
    assert.deepEqual(await store.readJournal('r'), [event(1)])
  }),

  claimedCase('a value of 50 MB is kept', async (store, epoch) => {
    const data = JSON.stringify('é😀'.repeat(50_000_000 / 6))
    await store.commit(epoch, [start('r', { journal: [event(1, { data })] })])
    const [read] = await store.readJournal('r')
    assert.ok(read?.data === data, 'the value came back changed')
  }),

  claimedCase('a run wakes others that have not ended, with its own write', async (store, epoch) => {
    const timer = { key: 'wake:r', dueAt: 5, data: '{"kind":"wake"}' }
    await store.commit(epoch, [
      start('r'),
      start('sleeps', { state: stateOf({ status: 'waiting' }) }),
      start('over', { state: stateOf({ status: 'failed' }) }),
    ])
    const wake = ['sleeps', 'over', 'nobody'].map(runId => ({ runId, ...timer }))
    await store.commit(epoch, [{ runId: 'r', wake }])
    await store.commit(epoch, [{ runId: 'r', wake }])
    const loaded = await store.load(['sleeps', 'over'], [])
    assert.deepEqual(
      loaded.map(run => run.timers),
      [[timer], []],
    )
    await store.commit(epoch, [{ runId: 'sleeps', clearTimers: ['wake:r'] }])
    assert.deepEqual((await store.load(['sleeps'], []))[0]?.timers, [])
  }),

  claimedCase('an empty batch changes nothing', async (store, epoch) => {
    await store.commit(epoch, [])
    assert.deepEqual((await store.list({})).items, [])
  }),
]

const signal = (ordinal: number) => ({ ordinal, name: 'approval', payload: '{"ok":true}', at: 3_000 })

const fullWrite: RunWrite = {
  runId: 'r',
  create: newRun(),
  state: stateOf({ seq: 2 }),
  journal: [event(1, { type: 'run.started' }), event(2)],
  ledger: [entry('k')],
  setTimers: [{ key: 'timeout', dueAt: 9_000, data: '{"stage":"collect"}' }],
  addSignals: [signal(1)],
}

/** The run `old` is as the first commit left it. */
async function assertUntouched(store: Store): Promise<void> {
  const [old] = await store.load(['old'], ['stage.succeeded', 'run.started'])
  assert.equal(old?.run.status, 'pending')
  assert.deepEqual(old?.journal, [event(1)])
  assert.deepEqual([old?.ledger, old?.timers], [[], []])
  assert.deepEqual(
    old?.signals.map(row => row.ordinal),
    [1],
  )
}
