import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { gated, reporting, unruly } from '../support/cli-workflows.ts'

let place: CliPlace

beforeAll(async () => {
  place = createCliPlace({ 'reporting.ts': reporting, 'gated.ts': gated, 'unruly.ts': unruly })
  await place.run('run', 'reporting.ts', '--path', '.', '--id', 'r1', '--tag', 'nightly', '--tag', 'main')
  await place.run('run', 'unruly.ts', '--input', '{"how":"fail"}', '--id', 'u1', '--tag', 'nightly')
  await place.run('run', 'gated.ts', '--id', 'g1')
})

afterAll(() => place.remove())

const idsOf = async (...flags: string[]): Promise<string[]> =>
  (await place.json<{ items: { id: string }[] }>('runs', 'list', ...flags)).data.items.map(({ id }) => id)

describe('holdfast runs list', () => {
  it('lists the newest first, a line a run', async () => {
    const { code, stdout } = await place.run('runs', 'list')
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t'))
    expect(rows.map(([id, workflow, status]) => [id, workflow, status])).toEqual([
      ['g1', 'gated', 'waiting'],
      ['u1', 'unruly', 'failed'],
      ['r1', 'reporting', 'completed'],
    ])
    expect(code).toBe(0)
  })

  it('finds by status, workflow, tag, text and time', async () => {
    expect(await idsOf('--status', 'failed,waiting')).toEqual(['g1', 'u1'])
    expect(await idsOf('--workflow', 'reporting')).toEqual(['r1'])
    expect(await idsOf('--tag', 'nightly', '--tag', 'main')).toEqual(['r1'])
    expect(await idsOf('--text', 'GAT')).toEqual(['g1'])
    expect(await idsOf('--since', '1h')).toHaveLength(3)
    expect(await idsOf('--since', '2999-01-01')).toEqual([])
  })

  it('gives pages', async () => {
    const first = await place.json<{ items: { id: string }[]; nextCursor: string }>('runs', 'list', '--limit', '2')
    expect(first.data.items.map(({ id }) => id)).toEqual(['g1', 'u1'])
    expect(await idsOf('--limit', '2', '--cursor', first.data.nextCursor)).toEqual(['r1'])
  })
})

describe('holdfast runs show', () => {
  it('tells how a run ended, with its stages', async () => {
    const { stdout } = await place.run('runs', 'show', 'u1')
    expect(stdout).toContain('u1: failed')
    expect(stdout).toMatch(/^ {2}act {2}failed \d+ms$/m)
    expect(stdout).toContain("in stage 'act': no such luck")
  })

  it('tells what a run waits for, how to send it and how to go on', async () => {
    const { stdout } = await place.run('runs', 'show', 'g1')
    expect(stdout).toMatch(/^ {2}items {2}done 3\/3 items 1 lost/m)
    expect(stdout).toContain("waits for signal 'approval' (stage 'gate')")
    expect(stdout).toContain("holdfast signal g1 approval '<JSON>'")
    expect(stdout).toContain('no process has it; go on with: holdfast resume g1')
  })

  it('is one document with --json', async () => {
    expect((await place.json('runs', 'show', 'r1')).data).toMatchObject({
      id: 'r1',
      status: 'completed',
      tags: ['nightly', 'main'],
      source: `${place.directory}/reporting.ts`,
      result: { success: true },
    })
  })
})

describe('holdfast runs events and tail', () => {
  it('prints the journal, a line an event, its numbers dense', async () => {
    const { stdout } = await place.run('runs', 'events', 'r1', '--json')
    const events = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { seq: number; type: string })
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events.at(-1)?.type).toBe('run.completed')
    const lines = (await place.run('runs', 'events', 'r1')).stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(events.length)
    expect(lines[0]).toContain('run.started  workflow=reporting')
  })

  it('ends by itself for a run that has ended', async () => {
    const { code, stdout } = await place.run('runs', 'tail', 'u1')
    expect(stdout.trimEnd().split('\n').at(-1)).toContain('run.failed')
    expect(code).toBe(0)
  })
})

describe('holdfast tree', () => {
  it('shows the unfinished runs and their actors', async () => {
    expect((await place.run('tree')).stdout).toMatch(/└─ run g1 {2}open\.waiting\n +└─ stage gate {2}/)
  })
})
