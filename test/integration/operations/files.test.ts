import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createClient } from '../../../src/runtime/client.ts'
import { restoreStore } from '../../../src/store/sqlite-copy.ts'
import { loadSqliteDriver } from '../../../src/store/sqlite-driver.ts'
import { sqliteStore } from '../../../src/store/sqlite-store.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

let directory: string
const at = (name: string): string => join(directory, name)

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-files-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const workflow = defineWorkflow({
  name: 'w',
  version: '1',
  profile: 'critical',
  input: z.object({ password: z.string().optional(), how: z.string() }),
  signals: { go: z.object({}) },
})
  .stage('a', ({ step }) => step('x', () => ({ apiKey: 'abc-very-secret', inputTokens: 7 })))
  .stage('b', { restart: 'temporary' }, async ({ input, waitFor }) => {
    if (input.how === 'badly') throw new Error('refused by https://me:hunter2@example.org with hidden-value')
    if (input.how === 'slowly') await waitFor('go')
    return input.how
  })

/** A store in a file with runs that have ended, and one that waits. */
async function filled(path = at('a.db')) {
  const world = createWorld()
  const store = sqliteStore(path)
  const runtime = await world.open({ store, workflows: [workflow] })
  for (const how of ['well', 'badly', 'slowly']) {
    const run = await runtime.start(workflow, { how, password: 'open sesame' }, { id: how, tags: ['t'] })
    if (how !== 'slowly') await settle(world.clock, run.result())
  }
  await world.clock.advance('1m')
  return { world, runtime }
}

describe('a bundle', () => {
  it('has no secret in it, whichever way it looks like one, and what else there is stays', async () => {
    const { runtime } = await filled()
    const client = createClient({ store: at('a.db') })
    const text = JSON.stringify(await client.bundle('badly', { secrets: ['hidden-value'] }))
    for (const secret of ['open sesame', 'abc-very-secret', 'hunter2', 'hidden-value'])
      expect(text).not.toContain(secret)
    expect(text).toContain('inputTokens')
    expect(text).toContain('refused by https://me:[redacted]@example.org')
    expect(await client.bundle('nobody').catch(error => error)).toMatchObject({ code: 'run_not_found' })
    await client.close()
    await runtime.close()
  })

  it('is read back in another store: shown, forked, never resumed', async () => {
    const { runtime } = await filled()
    const client = createClient({ store: at('a.db') })
    for (const id of ['badly', 'slowly']) writeFileSync(at(`${id}.json`), JSON.stringify(await client.bundle(id)))
    await client.close()
    await runtime.close()
    const world = createWorld()
    const other = await world.open({ store: sqliteStore(at('b.db')), workflows: [workflow] })
    const run = await other.import(at('badly.json'))
    expect(await run.result()).toMatchObject({ status: 'failed', error: { stage: 'b' } })
    expect(await other.retry('badly').catch(error => error)).toMatchObject({ code: 'run_imported' })
    const open = await other.import(at('slowly.json'), { id: 'elsewhere' })
    expect(await open.status()).toBe('quarantined')
    expect(await other.quarantine.release('elsewhere').catch(error => error)).toMatchObject({ code: 'run_imported' })
    expect(await other.stage.skip('badly', 'b', { reason: 'x' }).catch(error => error)).toMatchObject({
      code: 'run_imported',
    })
    for (const refused of [open.resume(), open.signal('go', {}), open.cancel(), run.pause(), run.resume()])
      expect(await refused.catch(error => error)).toMatchObject({
        code: 'run_imported',
        message: expect.stringContaining('fork it'),
      })
    expect(await other.diagnostics('elsewhere')).toMatchObject({
      currentStage: null,
      stageHistory: { a: { status: 'succeeded' }, b: { status: 'stopped' } },
      recommendations: ['it came from a bundle, and never goes on: holdfast fork elsewhere --from <stage>'],
    })
    const { commands } = await other.explain('elsewhere')
    expect(commands.map(({ command }) => command)).toEqual([
      'holdfast runs show elsewhere',
      'holdfast fork elsewhere --from <stage>',
      'holdfast runs events elsewhere',
    ])
    expect((await other.recover()).recovered).toEqual([])
    const fork = await other.fork('badly', { from: 'b', input: { how: 'anew' } })
    expect(await settle(world.clock, fork.result())).toMatchObject({ status: 'completed', output: 'anew' })
    expect(await other.import(at('badly.json')).catch(error => error)).toMatchObject({ code: 'run_conflict' })
    expect(await createClient({ store: at('b.db') }).verify()).toEqual([])
    await other.close()
  })

  it('that is none, is torn or is of a newer form is refused, and nothing is written', async () => {
    const { runtime } = await filled()
    const bundle = await createClient({ store: at('a.db') }).bundle('well')
    const cases: [string, string][] = [
      ['nothing', 'invalid_value'],
      ['[]', 'invalid_value'],
      [JSON.stringify({ ...bundle, formatVersion: 99 }), 'store_newer'],
      [JSON.stringify({ ...bundle, journal: bundle.journal.slice(1) }), 'invalid_value'],
      [JSON.stringify({ ...bundle, run: { ...bundle.run, options: '{' } }), 'invalid_value'],
      [JSON.stringify({ ...bundle, run: { ...bundle.run, status: 'fine' } }), 'invalid_value'],
    ]
    for (const [text, code] of cases) {
      writeFileSync(at('x.json'), text)
      expect(await runtime.import(at('x.json'), { id: 'x' }).catch(error => error)).toMatchObject({ code })
    }
    expect(await runtime.import(at('none.json')).catch(error => error)).toMatchObject({ code: 'file_not_found' })
    expect((await runtime.list()).items).toHaveLength(3)
    await runtime.close()
  })
})

describe('a backup', () => {
  it('is of one moment while the owner writes on, and restores elsewhere, where the runs go on', async () => {
    const { world, runtime } = await filled()
    const client = createClient({ store: at('a.db') })
    await client.backup(at('copy.db'))
    expect(await client.backup(at('copy.db')).catch(error => error)).toMatchObject({ code: 'store_not_empty' })
    await runtime.backup(at('copy2.db'))
    await settle(world.clock, (await runtime.start(workflow, { how: 'late' }, { id: 'late' })).result())
    await client.close()
    await runtime.close()
    expect(await restoreStore(at('b.db'), at('copy.db'))).toEqual({ runs: 3 })
    const other = await createWorld().open({ store: sqliteStore(at('b.db')), workflows: [workflow] })
    const run = await other.get('slowly')
    await run.signal('go', {})
    expect(await run.result()).toMatchObject({ status: 'completed', output: 'slowly' })
    expect(await other.get('late').catch(error => error)).toMatchObject({ code: 'run_not_found' })
    await other.close()
    expect(existsSync(at('copy2.db'))).toBe(true)
  })

  it('replaces a store with runs only when told, and none that is owned; what was there is kept', async () => {
    const { runtime } = await filled()
    await runtime.backup(at('copy.db'))
    expect(await restoreStore(at('a.db'), at('copy.db')).catch(error => error)).toMatchObject({ code: 'store_owned' })
    await runtime.close()
    expect(await restoreStore(at('a.db'), at('copy.db')).catch(error => error)).toMatchObject({
      code: 'store_not_empty',
    })
    await restoreStore(at('a.db'), at('copy.db'), { force: true })
    expect(existsSync(at('a.db.replaced'))).toBe(true)
    expect((await createClient({ store: at('a.db') }).list()).items).toHaveLength(3)
  })

  it('that is damaged, missing or no store changes nothing', async () => {
    const { runtime } = await filled()
    await runtime.backup(at('copy.db'))
    await runtime.close()
    copyFileSync(at('copy.db'), at('damaged.db'))
    const bytes = readFileSync(at('damaged.db'))
    bytes.fill(0xff, 8192, 12_288)
    writeFileSync(at('damaged.db'), bytes)
    writeFileSync(at('text.db'), 'no database at all, but a text of some length')
    for (const [file, code] of [
      ['damaged.db', 'store_corrupt'],
      ['text.db', 'store_corrupt'],
      ['none.db', 'store_missing'],
    ] as const) {
      const refused = await restoreStore(at('a.db'), at(file), { force: true }).catch(error => error)
      expect(refused, file).toMatchObject({ code })
    }
    expect((await createClient({ store: at('a.db') }).list()).items).toHaveLength(3)
    expect(existsSync(at('a.db.replaced'))).toBe(false)
  })

  it('cannot be made of a store in memory', async () => {
    const runtime = await createWorld().open()
    expect(await runtime.backup(at('copy.db')).catch(error => error)).toMatchObject({ code: 'invalid_options' })
    await runtime.close()
  })
})

describe('a check of the store', () => {
  it('finds nothing in a sound one, and names each thing that is wrong with the run that it is about', async () => {
    const { runtime } = await filled()
    await runtime.close()
    const client = createClient({ store: at('a.db') })
    expect(await client.verify()).toEqual([])
    await client.close()
    const database = (await loadSqliteDriver()).open(at('a.db'))
    database.exec(`DELETE FROM journal WHERE seq = 3 AND run = 1;
      DELETE FROM journal WHERE type = 'step.succeeded' AND run = 2;
      UPDATE run_states SET snapshot = '{' WHERE run = 3;
      INSERT INTO timers (run, key, due_at, data) VALUES (99, 'k', 1, '{}')`)
    database.close()
    const findings = await createClient({ store: at('a.db') }).verify()
    expect(findings).toEqual(
      expect.arrayContaining([
        { kind: 'journal', runId: 'well', message: expect.stringContaining('rows up to number') },
        { kind: 'ledger', runId: 'badly', message: expect.stringContaining('step:x:1') },
        { kind: 'snapshot', runId: 'slowly', message: 'its snapshot is no JSON' },
        { kind: 'orphan', message: expect.stringContaining('timers') },
      ]),
    )
  })

  it('says of a run whose state is gone that the store is damaged, and not that there is no such run', async () => {
    const { runtime } = await filled()
    await runtime.close()
    const database = (await loadSqliteDriver()).open(at('a.db'))
    database.exec('DELETE FROM run_states WHERE run = 1')
    database.close()
    const client = createClient({ store: at('a.db') })
    const refused = { code: 'store_corrupt', message: expect.stringContaining('store check') }
    expect(await client.get('well').catch(error => error)).toMatchObject(refused)
    expect(await client.diagnostics('well').catch(error => error)).toMatchObject(refused)
    expect(await client.get('nobody').catch(error => error)).toMatchObject({ code: 'run_not_found' })
    expect(await client.verify()).toContainEqual({ kind: 'orphan', runId: 'well', message: 'the run has no state' })
    await client.close()
  })

  it('refuses to examine what is not there', async () => {
    expect(
      await createClient({ store: at('none.db') })
        .verify()
        .catch(error => error),
    ).toMatchObject({
      code: 'store_missing',
    })
  })
})
