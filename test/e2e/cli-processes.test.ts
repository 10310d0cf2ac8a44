import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { gated, reporting, slow } from '../support/cli-workflows.ts'

let place: CliPlace

beforeEach(() => {
  place = createCliPlace({ 'slow.ts': slow, 'gated.ts': gated, 'reporting.ts': reporting })
})

afterEach(() => place.remove())

const written = (file: string): string => readFileSync(join(place.directory, file), 'utf8')
const forAMinute = '{"ms":60000}'
const forAMoment = '{"ms":1500}'

/** A run whose middle stage is at work. */
async function atWork(id: string, input: string) {
  const started = place.start('run', 'slow.ts', '--id', id, '--input', input)
  await started.said('long is at work')
  return started
}

describe('Ctrl-C', () => {
  it('lets what runs end, names the command that goes on, and exits 130; nothing is done twice', async () => {
    const { child, ended } = await atWork('i1', forAMoment)
    child.kill('SIGINT')
    const { code, stderr } = await ended
    expect(stderr).toContain('interrupted; go on with: holdfast resume i1')
    expect(code).toBe(130)

    const resumed = await place.json('resume', 'i1')
    expect(resumed).toMatchObject({ code: 0, data: { status: 'completed', output: 'last', resumes: 1 } })
    expect([written('first'), written('long'), written('last')]).toEqual(['.', '.', '.'])
  })

  it('twice ends the process at once', async () => {
    const { child, ended, said } = await atWork('i2', forAMinute)
    child.kill('SIGINT')
    await said('Ctrl-C again')
    child.kill('SIGINT')
    const { code, stderr } = await ended
    expect(code).toBe(130)
    expect(stderr).toContain('holdfast resume i2')
  })

  it('is 143 when it is SIGTERM', async () => {
    const { child, ended } = await atWork('i3', forAMoment)
    child.kill('SIGTERM')
    const { code, stderr } = await ended
    expect(stderr).toContain('terminated; go on with: holdfast resume i3')
    expect(code).toBe(143)
  })
})

describe('kill -9', () => {
  it('loses nothing: the next run tells of it, and recover takes it to its end', async () => {
    const { child, ended } = await atWork('k1', forAMoment)
    child.kill('SIGKILL')
    expect((await ended).code).toBe(null)

    const next = await place.run('run', 'reporting.ts', '--path', '.')
    expect(next).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('1 unfinished run from earlier: holdfast recover'),
    })

    const { code, data } = await place.json<{ results: unknown[] }>('recover')
    expect(data).toMatchObject({ recovered: ['k1'], skipped: [], unfinished: [] })
    expect(data.results).toMatchObject([{ runId: 'k1', status: 'completed', output: 'last' }])
    expect(code).toBe(0)
    expect([written('first'), written('long'), written('last')]).toEqual(['.', '..', '.'])
  })

  it('leaves a run to recover that only waits: exit 4; and one without its file is skipped with the reason: exit 1', async () => {
    await place.run('run', 'gated.ts', '--id', 'w1', '--input', '{"items":[1]}')
    const waiting = await place.json('recover')
    expect(waiting).toMatchObject({
      code: 4,
      data: { recovered: ['w1'], unfinished: [{ id: 'w1', status: 'waiting' }] },
    })

    place.write('gated.ts', 'export default 1\n')
    const broken = await place.json('recover')
    expect(broken).toMatchObject({ code: 1, data: { recovered: [], skipped: [{ id: 'w1' }] } })
    expect((await place.json('resume', 'w1')).code).toBe(2)
  })
})

describe('a store that a live process owns', () => {
  it('refuses a second run with the pid and what to do: exit 5', async () => {
    const { child } = await atWork('o1', forAMinute)
    const second = await place.run('run', 'reporting.ts', '--path', '.')
    expect(second.stderr).toContain(`owned by process ${child.pid}`)
    expect(second.stderr).toContain('--dir')
    expect(second.code).toBe(5)
    expect((await place.json('recover')).data).toMatchObject({ error: { code: 'store_owned' } })
  })

  it('is read beside it', async () => {
    const { child } = await atWork('o2', forAMinute)
    expect((await place.run('runs', 'show', 'o2')).stdout).toContain(`process ${child.pid}`)
    expect((await place.run('tree')).stdout).toContain('stage long')
    expect((await place.json<{ items: unknown[] }>('runs', 'list')).data.items).toMatchObject([
      { id: 'o2', status: 'running' },
    ])
  })

  it('takes pause, resume and cancel from other processes', async () => {
    const { ended, said } = await atWork('o3', forAMinute)
    expect(await place.json('pause', 'o3', '--reason', 'lunch')).toMatchObject({
      code: 0,
      data: { id: 'o3', status: 'paused' },
    })
    await said('run paused')
    expect(await place.json('resume', 'o3')).toMatchObject({ code: 0, data: { id: 'o3', status: 'running' } })
    await said('run resumed')
    const cancelled = await place.json('cancel', 'o3', '--reason', 'enough')
    expect(cancelled.code).toBe(0)
    const { code, stderr } = await ended
    expect(stderr).toContain('enough')
    expect(code).toBe(1)
    expect(await place.json('cancel', 'o3')).toMatchObject({ code: 2, data: { error: { code: 'run_not_open' } } })
  })

  it('is silent: exit 5, and the command is kept until the process comes to it', async () => {
    const { child, ended } = await atWork('o4', forAMinute)
    child.kill('SIGSTOP')
    const { code, data } = await place.json('cancel', 'o4')
    expect(data).toMatchObject({ error: { code: 'owner_silent' } })
    expect(code).toBe(5)
    child.kill('SIGCONT')
    expect((await ended).code).toBe(1)
    expect((await place.json('runs', 'show', 'o4')).data).toMatchObject({ status: 'cancelled' })
  })

  it('is followed by tail until the run ends', async () => {
    await atWork('o5', forAMoment)
    const { code, stdout } = await place.run('runs', 'tail', '--json')
    const types = stdout
      .trimEnd()
      .split('\n')
      .map(line => (JSON.parse(line) as { type: string }).type)
    expect(types.at(0)).toBe('run.started')
    expect(types.at(-1)).toBe('run.completed')
    expect(code).toBe(0)
  })
})

describe('a run that no process has', () => {
  it('is cancelled or paused without one of its stages running again', async () => {
    for (const id of ['n1', 'n2']) {
      const { child, ended } = await atWork(id, forAMinute)
      child.kill('SIGKILL')
      await ended
    }
    const before = written('long')
    expect(await place.json('cancel', 'n1')).toMatchObject({ code: 0, data: { status: 'cancelled' } })
    expect(await place.json('pause', 'n2')).toMatchObject({ code: 0, data: { status: 'paused' } })
    expect(written('long')).toBe(before)
    expect((await place.json('recover')).data).toMatchObject({ unfinished: [{ id: 'n2', status: 'paused' }] })
  })
})

describe('--detach', () => {
  it('gives the id once the start is durable, and the run goes on in a process of its own', async () => {
    const { code, data } = await place.json('run', 'slow.ts', '--detach', '--id', 'd1', '--input', forAMinute)
    expect(data).toEqual({ id: 'd1', status: expect.stringMatching(/^(?:pending|running)$/) })
    expect(code).toBe(0)
    expect((await place.json('runs', 'show', 'd1')).data).toMatchObject({ status: 'running' })
    expect((await place.json('cancel', 'd1')).code).toBe(0)
    const tail = await place.run('runs', 'tail', 'd1')
    expect(tail.stdout).toContain('run.cancelled')
  })

  it('stays for a signal', async () => {
    await place.run('run', 'gated.ts', '--detach', '--id', 'd2', '--input', '{"items":[1]}')
    expect((await place.run('signal', 'd2', 'approval', '{"ok":true}')).code).toBe(0)
    await place.run('runs', 'tail', 'd2')
    expect((await place.json('runs', 'show', 'd2')).data).toMatchObject({ status: 'completed' })
  })

  it('tells what the start failed with, with its exit code', async () => {
    const invalid = await place.json('run', 'reporting.ts', '--detach', '--input', '{}')
    expect(invalid).toMatchObject({ code: 2, data: { error: { code: 'invalid_value' } } })
    await atWork('d3', forAMinute)
    const owned = await place.run('run', 'reporting.ts', '--detach', '--path', '.')
    expect(owned.code).toBe(5)
    expect(owned.stderr).toMatch(/^error: .*owned by process/)
  })
})
