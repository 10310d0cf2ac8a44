import { describe, expect, it } from 'vitest'
import { createStageBoard } from '../../../src/cli/stage-board.ts'
import { stageTree } from '../../../src/cli/stage-tree.ts'
import { widthOf } from '../../../src/cli/text-width.ts'
import type { JournalEvent, JournalEventType } from '../../../src/index.ts'

const plain = (_colour: string, text: string): string => text
const wide = { columns: 80, rows: 20 }

let seq = 0
const event = (
  at: number,
  type: JournalEventType,
  stage: string,
  data: Record<string, unknown> = {},
  attempt?: number,
): JournalEvent => ({
  seq: ++seq,
  at,
  runId: 'r',
  type,
  schemaVersion: 1,
  stage,
  data,
  ...(attempt === undefined ? {} : { attempt }),
})

function boardOf(...events: readonly JournalEvent[]) {
  const board = createStageBoard()
  for (const one of events) board.take(one)
  return board
}

describe('the board of stages', () => {
  it('lets what was under way in a run that was imported stand as it was when its bundle was made', () => {
    const board = boardOf(
      event(0, 'stage.started', 'gate'),
      event(10, 'wait.begun', 'gate'),
      event(0, 'stage.started', 'review[a]'),
    )
    board.take({ seq: 9, at: 90_000, runId: 'r', type: 'run.imported', schemaVersion: 1, data: { exportedAt: 3000 } })
    expect(stageTree(board, 500_000, wide, plain)).toEqual(['◌ gate waiting 3s'])
    expect(board.items.get('review[a]')?.endedAt).toBe(3000)
  })

  it('shows what works with its attempt and progress, and what has ended with how long it took', () => {
    const board = boardOf(
      event(0, 'stage.started', 'collect'),
      event(250, 'stage.succeeded', 'collect'),
      event(300, 'stage.started', 'review'),
      event(400, 'stage.attempted', 'review', {}, 2),
      event(500, 'stage.progressed', 'review', { fraction: 0.4, note: 'linking' }),
    )
    expect(stageTree(board, 2300, wide, plain)).toEqual(['✔ collect 250ms', '● review attempt 2 40% linking 2s'])
  })

  it('counts the items of a map, shows those at work, and keeps none that has ended', () => {
    const board = boardOf(
      event(0, 'stage.started', 'tests'),
      event(0, 'map.opened', 'tests', { keys: ['a', 'b', 'c'], items: [1, 2, 3] }),
      event(1, 'stage.started', 'tests[a]'),
      event(1, 'stage.started', 'tests[b]'),
      event(2, 'stage.started', 'tests[c]'),
      event(10, 'stage.succeeded', 'tests[a]'),
      event(20, 'stage.degraded', 'tests[b]', { error: { message: 'lost' } }),
    )
    expect(stageTree(board, 1000, wide, plain)).toEqual(['● tests 2/3 items 1 lost 1s', '●   c 998ms'])
    expect(board.lost).toBe(1)
    expect([...board.items.keys()]).toEqual(['tests[c]'])
  })

  it('takes the stages of a run that was reopened up where they were', () => {
    const board = boardOf(
      event(0, 'stage.started', 'tests'),
      event(0, 'map.opened', 'tests', { keys: ['a', 'b', 'c'], items: [1, 2, 3] }),
      event(1, 'stage.started', 'tests[a]'),
      event(2, 'stage.succeeded', 'tests[a]'),
      event(3, 'stage.started', 'tests[b]'),
      event(4, 'stage.failed', 'tests[b]'),
      event(5, 'stage.failed', 'tests'),
      event(6, 'ledger.superseded', 'tests[b]', { keys: [] }),
      event(7, 'stage.started', 'tests'),
      event(7, 'stage.replayed', 'tests[a]'),
      event(7, 'stage.started', 'tests[b]'),
    )
    expect(stageTree(board, 1007, wide, plain)).toEqual(['● tests 1/3 items 1s', '●   b 1s'])
  })

  it('says what waits and what will be tried again', () => {
    const board = boardOf(
      event(0, 'stage.started', 'gate'),
      event(1, 'wait.begun', 'gate', { name: 'go' }),
      event(0, 'stage.started', 'fetch'),
      event(1, 'restart.decided', 'fetch'),
    )
    expect(stageTree(board, 60_000, wide, plain)).toEqual(['◌ gate waiting 1m 00s', '↻ fetch retrying 1m 00s'])
  })

  it('never draws more or wider lines than there is room for', () => {
    const events = Array.from({ length: 50 }, (_, i) => event(i, 'stage.started', `stage-${i}-${'x'.repeat(200)}`))
    const lines = stageTree(boardOf(...events), 1000, { columns: 40, rows: 10 }, plain)
    expect(lines).toHaveLength(10)
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(40)
    expect(lines.at(-1)).toContain('stage-49')
  })

  it('leaves out stages that have ended before those at work, and says how many', () => {
    const board = boardOf(
      event(0, 'stage.started', 'at-work'),
      ...Array.from({ length: 30 }, (_, i) => [
        event(i, 'stage.started', `stage-${i}`),
        event(i, 'stage.succeeded', `stage-${i}`),
      ]).flat(),
    )
    const lines = stageTree(board, 1000, { columns: 40, rows: 5 }, plain)
    expect(lines).toEqual([
      '  27 more stages have ended',
      '● at-work 1s',
      '✔ stage-27 0ms',
      '✔ stage-28 0ms',
      '✔ stage-29 0ms',
    ])
  })

  it('shortens a long name and not how its stage stands, in columns of the terminal', () => {
    const board = boardOf(
      event(0, 'stage.started', `深い/${'長い名前/'.repeat(20)}end`),
      event(1, 'stage.progressed', `深い/${'長い名前/'.repeat(20)}end`, { fraction: 0.5, note: '半分' }),
    )
    const [line = ''] = stageTree(board, 1000, { columns: 40, rows: 5 }, plain)
    expect(line).toMatch(/^● ….*\/end 50% 半分 1s$/)
    expect(widthOf(line)).toBeLessThanOrEqual(40)
  })

  it('lets no control character of a note reach the terminal', () => {
    const board = boardOf(
      event(0, 'stage.started', 'a'),
      event(1, 'stage.progressed', 'a', { fraction: 0.5, note: 'one\n\u001b[2Jtwo' }),
    )
    expect(stageTree(board, 1, wide, plain).join('')).not.toMatch(/\p{Cc}/u)
  })
})
