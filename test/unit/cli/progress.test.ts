import { describe, expect, it } from 'vitest'
import { createProgress } from '../../../src/cli/progress.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'
import type { JournalEvent, JournalEventType } from '../../../src/index.ts'

function spoken(since: number, events: readonly (readonly [number, JournalEventType, string | undefined, object?])[]) {
  const lines: string[] = []
  const terminal = { isLive: false, say: (text: string) => lines.push(text) } as unknown as Terminal
  const progress = createProgress(terminal, since)
  for (const [at, type, stage, data = {}] of events) {
    progress.take({ seq: at, at, runId: 'r', type, schemaVersion: 1, stage, data } as JournalEvent)
  }
  return lines
}

describe('progress where stderr is no terminal', () => {
  it('is a line for each transition', () => {
    const lines = spoken(0, [
      [1, 'run.started', undefined],
      [1, 'stage.started', 'fetch'],
      [2, 'attempt.failed', 'fetch', { error: { name: 'Error', message: 'no net\nat home' } }],
      [3, 'retry.decided', 'fetch', { delayMs: 100 }],
      [203, 'stage.succeeded', 'fetch'],
      [204, 'stage.started', 'gate'],
      [205, 'wait.begun', 'gate', { name: 'approval' }],
      [206, 'run.paused', undefined],
    ])
    expect(lines).toEqual([
      'fetch: started',
      'fetch: attempt failed: no net',
      'fetch: will be tried again in 100 ms',
      'fetch: done 202ms',
      'gate: started',
      "gate: waits for 'approval'",
      'run paused',
    ])
  })

  it('tells of the end of an item, not of its beginning', () => {
    const lines = spoken(0, [
      [1, 'stage.started', 'tests'],
      [1, 'map.opened', 'tests', { keys: ['a'], items: [1] }],
      [1, 'stage.started', 'tests[a]'],
      [9, 'stage.degraded', 'tests[a]', { error: { message: 'gone' } }],
      [9, 'stage.succeeded', 'tests'],
    ])
    expect(lines).toEqual(['tests: started', 'tests[a]: lost 8ms: gone', 'tests: done 1/1 items 1 lost 8ms'])
  })

  it('tells of a map with many items by tenths, and of each item that went wrong', () => {
    const keys = Array.from({ length: 200 }, (_, n) => `${n}`)
    const lines = spoken(0, [
      [1, 'stage.started', 'work'],
      [1, 'map.opened', 'work', { keys }],
      ...keys.flatMap((key): [number, JournalEventType, string, object?][] => [
        [1, 'stage.started', `work[${key}]`],
        key === '7'
          ? [2, 'stage.degraded', 'work[7]', { error: { message: 'gone' } }]
          : [2, 'stage.succeeded', `work[${key}]`],
      ]),
    ])
    expect(lines).toHaveLength(12)
    expect(lines.slice(0, 3)).toEqual(['work: started', 'work[7]: lost 1ms: gone', 'work: 20/200 items 1 lost 1ms'])
    expect(lines.at(-1)).toBe('work: 200/200 items 1 lost 1ms')
  })

  it('says nothing of what was over before', () => {
    const lines = spoken(100, [
      [1, 'stage.started', 'old'],
      [2, 'stage.succeeded', 'old'],
      [150, 'stage.started', 'new'],
    ])
    expect(lines).toEqual(['new: started'])
  })
})
