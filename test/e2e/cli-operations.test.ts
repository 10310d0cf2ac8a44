import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { mendable, owning } from '../support/cli-workflows.ts'

let place: CliPlace

beforeEach(() => {
  place = createCliPlace({ 'mendable.ts': mendable, 'owning.ts': owning, broken: '' })
})

afterEach(() => place.remove())

const mend = (): void => rmSync(join(place.directory, 'broken'))
const ran = (): string => readFileSync(join(place.directory, 'ran'), 'utf8').trim()

/** A run that has failed, or is in quarantine. */
async function failed(id: string): Promise<void> {
  const { code } = await place.run('run', 'mendable.ts', '--id', id)
  expect(code).toBe(1)
}

/** Another process owns the store, and knows the workflow. */
async function owned() {
  const owner = place.start('run', 'owning.ts', '--id', 'owner', '--watch')
  await owner.said('holding')
  return owner
}

/** Waits beside the owner until the run has ended. */
async function ended(id: string): Promise<Record<string, unknown>> {
  await place.run('runs', 'tail', id)
  return (await place.json('runs', 'show', id)).data
}

describe('where no process owns the store', () => {
  it('retry stays with the run and prints its result', async () => {
    await failed('r')
    expect(await place.json('retry', 'r')).toMatchObject({ code: 1, data: { status: 'failed' } })
    mend()
    const { code, data } = await place.json('retry', 'r', '--reason', 'mended')
    expect(data).toMatchObject({ status: 'completed', output: 11, resumes: 2 })
    expect(code).toBe(0)
    expect(ran()).toBe('first second second second third')
    expect(await place.json('retry', 'r')).toMatchObject({ code: 2, data: { error: { code: 'run_not_open' } } })
    expect(await place.json('retry', 'nobody')).toMatchObject({ code: 3, data: { error: { code: 'run_not_found' } } })
  })

  it('fork says what it will run, starts nothing, and resume goes on with it', async () => {
    await failed('r')
    mend()
    const before = ran()
    const forked = await place.run('fork', 'r', '--from', 'second', '--input', '{"n":2}')
    expect(forked.code).toBe(0)
    expect(forked.stderr).toContain('runs again: second, third')
    expect(forked.stderr).toContain('taken over: first')
    expect(ran()).toBe(before)
    const id = /run (\S+) is pending/.exec(forked.stdout)?.[1] as string
    expect(await place.json('resume', id)).toMatchObject({ code: 0, data: { status: 'completed', output: 12 } })
    const json = await place.json('fork', 'r', '--from', 'second')
    expect(json).toMatchObject({ code: 0, data: { status: 'pending', plan: { copied: ['first'] } } })
    expect(await place.json('fork', 'r', '--from', 'nothing')).toMatchObject({ code: 2 })
  })

  it('stage decides without running anything, and needs a reason', async () => {
    await failed('r')
    const before = ran()
    expect((await place.run('stage', 'skip', 'r', 'second')).code).toBe(2)
    const given = ['stage', 'complete', 'r', 'second', '--reason', 'by hand', '--result', '77']
    expect(await place.json(...given)).toMatchObject({ code: 0, data: { id: 'r', status: 'pending' } })
    expect(ran()).toBe(before)
    expect(await place.json('resume', 'r')).toMatchObject({ code: 0, data: { output: 77 } })
    const events = await place.run('runs', 'events', 'r', '--json')
    expect(events.stdout).toContain('"how":"complete","reason":"by hand","by":"')
  })

  it('quarantine is listed, shown, released and discarded', async () => {
    place.write('quarantining', '')
    await failed('q1')
    await failed('q2')
    const { data } = await place.json<{ items: object[] }>('quarantine', 'list')
    expect(data.items).toMatchObject([
      { id: 'q2', stage: 'second', message: 'second is broken' },
      { id: 'q1', stage: 'second' },
    ])
    expect((await place.json('quarantine', 'show', 'q1')).data).toMatchObject({
      causes: [{ message: 'second is broken' }],
      snapshot: { sha256: expect.any(String) },
    })
    expect((await place.run('quarantine', 'show', 'q1')).stdout).toContain('snapshot sha256')
    expect(await place.json('quarantine', 'discard', 'q1', '--reason', 'hopeless')).toMatchObject({
      code: 0,
      data: { status: 'cancelled' },
    })
    mend()
    expect(await place.json('quarantine', 'release', 'q2', '--reason', 'mended')).toMatchObject({
      code: 0,
      data: { status: 'pending' },
    })
    expect(await place.json('resume', 'q2')).toMatchObject({ code: 0, data: { output: 11 } })
    expect((await place.json('quarantine', 'list')).data).toEqual({ items: [] })
    expect(await place.json('quarantine', 'show', 'q2')).toMatchObject({ code: 2 })
  })
})

describe('beside a live owner of the store', () => {
  it('retry, fork, stage skip and quarantine release are carried out by it', async () => {
    await failed('r')
    await failed('s')
    place.write('quarantining', '')
    await failed('q')
    await owned()
    mend()

    expect(await place.json('retry', 'r')).toMatchObject({ code: 0, data: { id: 'r' } })
    expect(await ended('r')).toMatchObject({ status: 'completed', result: { output: 11 } })

    const forked = await place.json<{ id: string }>('fork', 'r', '--from', 'second', '--input', '{"n":5}')
    expect(forked).toMatchObject({ code: 0, data: { plan: { copied: ['first'], rerun: ['second', 'third'] } } })
    expect(await ended(forked.data.id)).toMatchObject({ status: 'completed', result: { output: 15 } })

    const skipped = await place.json('stage', 'skip', 's', 'second', '--reason', 'no need')
    expect(skipped).toMatchObject({ code: 0, data: { id: 's' } })
    expect(await ended('s')).toMatchObject({ status: 'completed', result: { output: null } })

    expect(await place.json('quarantine', 'release', 'q')).toMatchObject({ code: 0, data: { id: 'q' } })
    expect(await ended('q')).toMatchObject({ status: 'completed' })

    expect(await place.json('retry', 'owner')).toMatchObject({ code: 2, data: { error: { code: 'run_open' } } })
    expect((await place.json('stage', 'complete', 'owner', 'hold', '--reason', 'enough')).code).toBe(0)
    expect(await ended('owner')).toMatchObject({ status: 'completed' })
  })
})

describe('files', () => {
  it('a run is bundled, read back elsewhere, forked there and never resumed', async () => {
    await failed('r')
    expect((await place.run('bundle', 'r')).stdout).toContain('diagnostic-bundle-r.json')
    expect((await place.run('bundle', 'r', '--out', '-')).stdout).toContain('"format": "holdfast-bundle"')
    const there = ['--dir', 'there']
    expect(await place.json('import', 'diagnostic-bundle-r.json', ...there)).toMatchObject({
      code: 0,
      data: { id: 'r', status: 'failed' },
    })
    expect((await place.json('runs', 'show', 'r', ...there)).data).toMatchObject({ result: { status: 'failed' } })
    expect(await place.json('retry', 'r', ...there)).toMatchObject({
      code: 2,
      data: { error: { code: 'run_imported' } },
    })
    mend()
    const fork = await place.json<{ id: string }>(
      'fork',
      'r',
      '--from',
      'second',
      '--workflow',
      'mendable.ts',
      ...there,
    )
    expect(fork.code).toBe(0)
    expect(await place.json('resume', fork.data.id, ...there)).toMatchObject({ code: 0, data: { output: 11 } })
    expect((await place.json('import', 'none.json')).code).toBe(3)
  })

  it('the store is backed up beside its owner, restored elsewhere and checked', async () => {
    await failed('r')
    await owned()
    expect(await place.json('backup', 'copy.db')).toMatchObject({ code: 0 })
    expect((await place.run('backup', 'copy.db')).code).toBe(2)
    expect((await place.run('restore', 'copy.db', '--force')).code).toBe(5)
    expect(await place.json('restore', 'copy.db', '--dir', 'there')).toMatchObject({ code: 0, data: { runs: 2 } })
    expect((await place.run('restore', 'copy.db', '--dir', 'there')).code).toBe(2)
    expect(await place.json('store', 'check', '--dir', 'there')).toMatchObject({
      code: 0,
      data: { ok: true, findings: [] },
    })
    expect((await place.json('store', 'check', '--dir', 'nowhere')).code).toBe(3)
    place.write('there/holdfast.db', 'no store at all, but a text that is long enough to be looked at')
    expect((await place.json('store', 'check', '--dir', 'there')).code).toBe(1)
    expect((await place.json('diagnostics', 'owner')).data).toMatchObject({
      status: 'waiting',
      currentStage: { stage: 'hold' },
    })
    expect((await place.run('diagnostics', 'r')).stdout).toContain('holdfast retry r')
  })
})
