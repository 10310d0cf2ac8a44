import { describe, expect, it } from 'vitest'
import { type RunView, showLines } from '../../../src/cli/print-run.ts'
import { createStageBoard } from '../../../src/cli/stage-board.ts'
import type { RunReport, RunStatus } from '../../../src/index.ts'

function linesOf(changes: Partial<RunReport>, owner?: RunView['owner']): string[] {
  const report: RunReport = {
    id: 'r',
    workflow: 'w',
    version: '1',
    status: 'waiting',
    tags: [],
    createdAt: 0,
    updatedAt: 0,
    input: null,
    source: '/here/w.ts',
    cwd: '/here',
    isImported: false,
    waitingFor: [],
    ...changes,
  }
  return showLines({ report, board: createStageBoard(), owner, now: 5000, command: text => `holdfast ${text}` })
}

const ended = (status: RunStatus, isImported = false) => linesOf({ status, endedAt: 1000, isImported }).slice(4)
const events = 'events: holdfast runs events r'

describe('one run for a person', () => {
  it('says of one that has ended what reopens it', () => {
    expect(ended('completed')).toEqual([events])
    expect(ended('cancelled')).toEqual([events])
    expect(ended('failed')).toEqual(['run what failed again: holdfast retry r', events])
    expect(ended('budget_exceeded')).toEqual([
      'go on with a larger budget: holdfast resume r --budget <currency>=<more>',
      events,
    ])
    expect(ended('quarantined')).toEqual([
      'look at the evidence: holdfast quarantine show r',
      "let it go on: holdfast quarantine release r --reason '<why>'",
      events,
    ])
  })

  it('says of one that was imported that only a fork goes on, however it ended', () => {
    for (const status of ['failed', 'quarantined', 'budget_exceeded'] as const)
      expect(ended(status, true)).toEqual([
        '  imported  from a bundle: it never goes on here',
        'make a run of this store from it: holdfast fork r --from <stage>',
        events,
      ])
  })

  it('says of one whose definition has changed where to put it back, and does not tell to resume it', () => {
    const lines = linesOf({ waitingFor: [{ kind: 'definition', name: 'w 1 abc' }] }).join('\n')
    expect(lines).toContain('waits for the definition it was begun with (w 1 abc)')
    expect(lines).toContain('put back what it was begun with in /here/w.ts')
    expect(lines).toContain('holdfast fork r --from <stage>')
    expect(lines).not.toContain('resume')
  })

  it('says how to give one what it waits for, and who has it', () => {
    const waitingFor = [{ kind: 'signal', name: 'go', stage: 'a' } as const]
    expect(linesOf({ waitingFor }).slice(4)).toEqual([
      "waits for signal 'go' (stage 'a')",
      "send it: holdfast signal r go '<JSON>'",
      'no process has it; go on with: holdfast resume r',
      events,
    ])
    const owner = { pid: 7, host: 'there', epoch: 1, claimedAt: 0 }
    expect(linesOf({ waitingFor }, owner)).toContain('process 7 on there has it; follow it: holdfast runs tail r')
  })
})
