import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { entriesOfError, entryOf, logLine } from '../../../src/cli/log-lines.ts'
import { createRunLog, logFile, type RunLogOptions } from '../../../src/cli/run-log.ts'
import { createStageBoard } from '../../../src/cli/stage-board.ts'
import type { JournalEvent, JournalEventType, RunError, Runtime } from '../../../src/index.ts'

const event = (at: number, type: JournalEventType, stage?: string, data: object = {}, attempt = 1): JournalEvent =>
  ({ seq: at, at, runId: 'r1', type, schemaVersion: 1, stage, attempt, data }) as JournalEvent

function linesOf(...events: readonly JournalEvent[]): string[] {
  const board = createStageBoard()
  return events.map(each => logLine(each.at, entryOf(each, board.take(each)), each.runId))
}

const counters = { attempt: 2, maxRetries: 2, spent: 1, intensity: 3 }

describe('a line of the log', () => {
  it('has the time, the component, the level, the run and a message; transitions carry durations', () => {
    expect(
      linesOf(
        event(0, 'stage.started', 'fetch'),
        event(0, 'stage.attempted', 'fetch'),
        event(5, 'attempt.failed', 'fetch', { error: { name: 'Error', message: 'no net\nat home' } }),
        event(5, 'retry.decided', 'fetch', { counters, delayMs: 100 }),
        event(105, 'restart.decided', 'fetch', { counters }),
        event(205, 'stage.succeeded', 'fetch'),
      ),
    ).toEqual([
      '1970-01-01T00:00:00.000Z - stage - INFO - [r1] fetch started',
      '1970-01-01T00:00:00.000Z - stage - INFO - [r1] attempt 1 for fetch',
      '1970-01-01T00:00:00.005Z - attempt - WARNING - [r1] attempt 1 for fetch failed: Error: no net | at home',
      '1970-01-01T00:00:00.005Z - retry - INFO - [r1] attempt 2/3 for fetch in 100ms',
      '1970-01-01T00:00:00.105Z - restart - INFO - [r1] restart 1/3 for fetch, attempt 2',
      '1970-01-01T00:00:00.205Z - stage - INFO - [r1] fetch done (205ms)',
    ])
  })

  it('tells of health what each monitor found, and of a run how it failed', () => {
    const monitors = [{ name: 'git', healthy: false, message: 'no repository' }]
    const [health, failed] = linesOf(
      event(0, 'preflight.failed', 'fetch', { monitors }),
      event(1, 'run.failed', undefined, { error: { name: 'Error', message: 'no' } }),
    )
    expect(health).toContain(' - health - ERROR - [r1] before fetch: git unhealthy (no repository)')
    expect(failed).toContain(' - run - ERROR - [r1] failed: Error: no')
    const error = { type: 'runtime', category: 'critical', code: 'x', stage: 'fetch', recommendations: ['do this'] }
    expect(entriesOfError(error as unknown as RunError).map(({ message }) => message)).toEqual([
      'error context: type runtime, category critical, code x, stage fetch',
      'recommendation: do this',
    ])
  })
})

describe('the log of a process', () => {
  let directory: string
  const said: string[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hf-log-'))
    said.length = 0
  })

  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(directory, { recursive: true, force: true })
  })

  async function written(
    events: readonly JournalEvent[],
    entries: readonly (readonly ['info' | 'debug' | 'error', object, string])[] = [],
    options: Partial<RunLogOptions> = {},
  ): Promise<void> {
    const log = createRunLog({ directory, level: 'warn', onFailure: text => said.push(text), ...options })
    log.follow({
      async *events() {
        yield* events
      },
      get: async () => ({ result: async () => ({ success: true }) }),
    } as unknown as Runtime)
    for (const [level, data, message] of entries) log.logger[level](data, message)
    await log.close()
  }

  const textOf = (at: number): string => readFileSync(logFile(directory, at), 'utf8')

  it('has a file a day', async () => {
    await written([
      event(0, 'run.started', undefined, { workflow: 'w', version: '1' }),
      event(86_400_000, 'run.paused'),
    ])
    expect(logFile('d', 0)).toBe(join('d', 'logs', 'workflow-19700101.log'))
    expect(textOf(0)).toMatch(/^1970-01-01T.*\[r1\] workflow 'w' version 1 started\n$/)
    expect(textOf(86_400_000)).toMatch(/^1970-01-02T.*\[r1\] run paused\n$/)
  })

  it('makes up no duration of a stage that began before', async () => {
    await written([event(0, 'stage.succeeded', 'old')])
    expect(textOf(0)).toMatch(/old done\n$/)
  })

  it('leaves out what is only for debugging unless asked', async () => {
    await written([event(0, 'run.started'), event(0, 'step.succeeded', 'a')])
    expect(textOf(0)).not.toContain('step')
    await written([event(0, 'step.succeeded', 'a')], [], { level: 'debug' })
    expect(textOf(0)).toContain(' - step - DEBUG - [r1] step succeeded of a')
  })

  it('writes no secret, by its form or by its value', async () => {
    vi.stubEnv('SOME_TOKEN', 'value-of-a-token')
    const message = 'sent sk-proj-abcdefghijklmnopqrstuvwx and value-of-a-token'
    await written([event(0, 'attempt.failed', 'a', { error: { message } })])
    expect(textOf(0)).toContain('sent [masked] and [masked]')
  })

  it('says once that it cannot be written, and harms nobody', async () => {
    writeFileSync(join(directory, 'logs'), 'in the way')
    await written([event(0, 'run.started'), event(0, 'run.completed')])
    expect(said).toEqual([expect.stringMatching(/^the log cannot be written, and is left out: /)])
  })
})
