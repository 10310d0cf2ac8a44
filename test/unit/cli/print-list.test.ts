import { describe, expect, it } from 'vitest'
import { runLines } from '../../../src/cli/print-list.ts'
import type { RunSummary } from '../../../src/index.ts'

const run = (fields: Partial<RunSummary>): RunSummary => ({
  ...{ id: 'r', workflow: 'w', version: '1', status: 'running', tags: [], createdAt: 0, updatedAt: 0 },
  ...fields,
})

const waitsFor = (fields: Partial<RunSummary>, isOwned: boolean): string | undefined =>
  runLines([run(fields)], { now: 5, forPerson: false, isOwned })[0]
    ?.split('\t')
    .at(-1)

describe('a list of runs', () => {
  it('says of an unfinished run that no process has it, where none has the store', () => {
    expect(waitsFor({}, false)).toBe('a process (none has it)')
    expect(waitsFor({}, true)).toBe('')
    expect(waitsFor({ status: 'completed', endedAt: 3 }, false)).toBe('')
    expect(waitsFor({ status: 'paused' }, false)).toBe('')
    const forSignal = { status: 'waiting', waitingFor: [{ kind: 'signal', stage: 'a', name: 'go' }] } as const
    expect(waitsFor(forSignal, false)).toBe("signal 'go' (stage 'a')")
  })
})
