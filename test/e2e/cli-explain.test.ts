import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { gated, reporting } from '../support/cli-workflows.ts'

/** Fails after two restarts of one stage; its input says how. */
const failing = `
import { defineProfile, defineWorkflow } from 'holdfast'
import { z } from 'zod'

export default defineWorkflow({
  name: 'failing',
  version: '1',
  input: z.object({ how: z.string() }),
  profile: defineProfile({ name: 'mine', extends: 'critical', restart: { intensity: 2 } }),
})
  .stage('look', () => 1)
  .stage('break', { timeout: '2m' }, ({ input }) => {
    throw new Error('it cannot be done: ' + input.how, { cause: new Error('the root of it') })
  })
`

let place: CliPlace

beforeAll(async () => {
  place = createCliPlace({ 'failing.ts': failing, 'gated.ts': gated, 'reporting.ts': reporting })
  await place.run('run', 'failing.ts', '--input', '{"how":"no way"}', '--id', 'f1')
})

afterAll(() => place.remove())

describe('holdfast explain', () => {
  it('tells what happened, by which rules, why, and what to type next', async () => {
    const { code, stdout } = await place.run('explain', 'f1')
    expect(code).toBe(0)
    for (const part of [
      "Run f1 of workflow 'failing' (version 1)",
      "in stage 'break': it cannot be done: no way",
      'look: done',
      '2 of 2 restarts within 1h 00m used',
      'caused by Error: the root of it',
      'holdfast retry f1',
    ])
      expect(stdout).toContain(part)
  })

  it('gives the same as data, of the run or of one stage, with the flags that find the store', async () => {
    const { code, data } = await place.json('explain', 'f1', '--stage', 'break', '--dir', '.holdfast')
    expect(code).toBe(0)
    expect(data).toMatchObject({
      runId: 'f1',
      stage: 'break',
      status: 'failed',
      stages: [{ name: 'break', attempts: 3, restarts: 2 }],
      causes: [{ message: 'it cannot be done: no way' }, { message: 'the root of it' }],
      decisions: { checked: 3, differences: [] },
    })
    expect((data.commands as { command: string }[])[0]?.command).toBe('holdfast retry f1 --dir .holdfast')
  })

  it('exits 3 for a run that is not there, and 2 for a stage that is not', async () => {
    expect((await place.run('explain', 'none')).code).toBe(3)
    const { code, stderr } = await place.run('explain', 'f1', '--stage', 'brake')
    expect(code).toBe(2)
    expect(stderr).toContain("did you mean 'break'")
  })

  it('reads beside the live owner of the store', async () => {
    const owner = place.start('run', 'gated.ts', '--id', 'g1', '--watch')
    await owner.said('gate: waits')
    const { code, stdout } = await place.run('explain', 'g1')
    expect(code).toBe(0)
    expect(stdout).toContain("stage 'gate' waits for signal 'approval'")
    expect(stdout).toContain("holdfast signal g1 approval '<JSON>'")
    expect(stdout).toContain(`follow it in process ${owner.child.pid}`)
    owner.child.kill('SIGKILL')
    await owner.ended
    expect((await place.run('explain', 'g1')).stdout).toContain('no process has the store')
  })
})

describe('holdfast run --dry-run', () => {
  it('prints the plan and its bound, and starts nothing', async () => {
    const { code, stdout } = await place.run('run', 'failing.ts', '--input', '{"how":"x"}', '--dry-run', '--id', 'dry')
    expect(code).toBe(0)
    expect(stdout).toContain("plan of workflow 'failing' version 1; nothing was started")
    expect(stdout).toContain('profile mine (from the workflow)')
    expect(stdout).toContain('break: 6 attempts (3 retries, 2 restarts), 30 waits')
    expect((await place.run('runs', 'show', 'dry')).code).toBe(3)
  })

  it('gives the same as data, with what flags and environment change', async () => {
    const { data } = await place.json('run', 'failing.ts', '--input', '{"how":"x"}', '--dry-run', '--max-retries', '0')
    expect(data).toMatchObject({ workflow: 'failing', bound: { attempts: 6, retries: 0, restarts: 4 } })
    const other = await place.json(
      'run',
      'failing.ts',
      '--input',
      '{"how":"x"}',
      '--dry-run',
      '--timeout-multiplier',
      '1.5',
    )
    expect((other.data.stages as { timeoutMs: number }[])[1]?.timeoutMs).toBe(180_000)
  })

  it('refuses what the start would refuse', async () => {
    for (const [flag, value] of [
      ['--input', '{"how":1}'],
      ['--profile', 'balancd'],
      ['--max-retries', '-1'],
      ['--timeout-multiplier', '0'],
    ] as const)
      expect((await place.run('run', 'failing.ts', '--input', '{"how":"x"}', '--dry-run', flag, value)).code).toBe(2)
  })
})

describe('holdfast run --max-retries', () => {
  it('changes every profile of the run', async () => {
    const { data } = await place.json(
      'run',
      'failing.ts',
      '--input',
      '{"how":"x"}',
      '--id',
      'm1',
      '--timeout-multiplier',
      '2',
    )
    expect(data).toMatchObject({ success: false, attempts: 4 })
    expect((await place.run('run', 'failing.ts', '--max-retries', 'many', '--input', '{"how":"x"}')).code).toBe(2)
  })
})

describe('holdfast profiles', () => {
  it('lists the profiles with their tasks', async () => {
    const { code, data } = await place.json<{ items: { profile: string; tasks: string[] }[] }>('profiles', 'list')
    expect(code).toBe(0)
    expect(data.items.map(({ profile }) => profile)).toEqual(['critical', 'balanced', 'tolerant'])
    expect(data.items[0]?.tasks).toEqual(['security_audit', 'code_review'])
  })

  it('shows the effective values of a task and where each is from', async () => {
    const { code, stdout } = await place.run('profiles', 'show', 'code_review', '--max-retries', '4')
    expect(code).toBe(0)
    expect(stdout).toContain('task code_review: profile critical')
    expect(stdout).toMatch(/retry\.max +4 +flag --max-retries/)
    expect(stdout).toMatch(/restart\.intensity +1 +built-in profile 'critical'/)
    const { data } = await place.json<{ values: { name: string }[] }>('profiles', 'show', 'summarize')
    expect(data.values.find(({ name }) => name === 'timeout.call')).toMatchObject({ value: 180_000 })
  })

  it('exits 2 for a task that nobody knows', async () => {
    const { code, stderr } = await place.run('profiles', 'show', 'sumarize')
    expect(code).toBe(2)
    expect(stderr).toContain("did you mean 'summarize'")
  })
})
