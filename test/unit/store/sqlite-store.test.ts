import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { StoreError } from '../../../src/errors.ts'
import { loadSqliteDriver, type SqliteDatabase, type SqliteDriver } from '../../../src/store/sqlite-driver.ts'
import { migrations } from '../../../src/store/sqlite-schema.ts'
import { sqliteStore } from '../../../src/store/sqlite-store.ts'
import type { RunWrite, Store } from '../../../src/store/store.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'))
let places = 0
const newFile = (): string => join(directory, `${places++}`, 'deep', 'holdfast.db')

afterAll(() => rmSync(directory, { recursive: true, force: true }))

const claimant = { pid: 11, host: 'here', at: 1_000 }
const start = (runId: string, input = '{}'): RunWrite => ({
  runId,
  create: { workflow: 'w', version: '1', definitionHash: 'h', input, options: '{}', tags: [], createdAt: 1 },
})

/** A store file with one run, left in order by its owner. */
async function storeWithARun(): Promise<string> {
  const file = newFile()
  const store = sqliteStore(file)
  const { epoch } = await store.claim(claimant)
  await store.commit(epoch, [start('r')])
  await store.close()
  return file
}

/** The driver at hand, with something done to each database that it opens. */
const driverWith =
  (change: (database: SqliteDatabase) => SqliteDatabase): (() => Promise<SqliteDriver>) =>
  async () => {
    const driver = await loadSqliteDriver()
    return { ...driver, open: (path, options) => change(driver.open(path, options)) }
  }

/** What every refusal of a store owes to the person who reads it: its code, the path, one paragraph. */
async function refusal(operation: Promise<unknown>, code: string, path: string): Promise<StoreError> {
  const error = await operation.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(StoreError)
  const refused = error as StoreError
  expect(refused.code).toBe(code)
  expect(refused.message).toContain(path)
  expect(refused.message).not.toContain('\n')
  return refused
}

test('reading a store that does not exist creates nothing', async () => {
  const file = newFile()
  const store = sqliteStore(file)
  expect(await store.readRun('r')).toBeUndefined()
  expect(await store.list({})).toEqual({ items: [] })
  expect(await store.owner()).toBeUndefined()
  expect((await store.describe()).schemaVersion).toBe(0)
  await store.close()
  expect(existsSync(dirname(dirname(file)))).toBe(false)
})

test('durability is set and read back when the store is claimed', async () => {
  const file = newFile()
  const store = sqliteStore(file)
  await store.claim(claimant)
  const description = await store.describe()
  await store.close()
  expect(description).toMatchObject({
    kind: 'sqlite',
    location: file,
    durability: 'fsync',
    schemaVersion: migrations.length,
  })
  expect(description.settings).toMatchObject({ journal_mode: 'wal', synchronous: 2, wal_autocheckpoint: 4000 })
})

test('a claim is refused where FULL sync does not hold', async () => {
  const file = newFile()
  const store = sqliteStore(
    file,
    driverWith(database => ({
      exec: sql => database.exec(sql.replace('synchronous = 2', 'synchronous = 1')),
      prepare: sql => database.prepare(sql),
      close: () => database.close(),
    })),
  )
  const { message } = await refusal(store.claim(claimant), 'store_failed', file)
  expect(message).toContain('synchronous was set to 2 and reads back as 1')
  expect(await sqliteStore(file).owner()).toBeUndefined()
})

test('two stores of one process cannot both own the file, and the next owner has a higher epoch', async () => {
  const file = newFile()
  const [first, second] = [sqliteStore(file), sqliteStore(join(dirname(file), '..', 'deep', 'holdfast.db'))]
  const owner = await first.claim(claimant)
  const refused = await refusal(second.claim({ ...claimant, pid: 12 }), 'store_owned', file)
  expect(refused.details).toMatchObject({ owner })
  expect(await second.owner()).toEqual(owner)
  await first.commit(owner.epoch, [start('r')])

  await first.close()
  expect(await second.owner()).toBeUndefined()
  const next = await second.claim({ ...claimant, pid: 12 })
  expect(next.epoch).toBe(owner.epoch + 1)
  expect(await first.owner()).toEqual(next)
  await expect(first.commit(owner.epoch, [start('late')])).rejects.toMatchObject({ code: 'lease_lost' })
  await second.close()
})

test.each(['the file', 'its directory', 'a file still to be made'])(
  'a file has one owner, also through a symbolic link to %s',
  async linked => {
    const home = join(directory, `${places++}`)
    const file = join(home, 'deep', 'holdfast.db')
    const first = sqliteStore(file)
    const link = linked === 'its directory' ? join(home, 'link', 'holdfast.db') : join(home, 'link.db')
    mkdirSync(home)
    if (linked === 'a file still to be made') symlinkSync(join('deep', 'holdfast.db'), link)
    const beforeTheFile = linked === 'a file still to be made' ? sqliteStore(link) : undefined
    const owner = await (beforeTheFile ?? first).claim(claimant)
    if (linked === 'the file') symlinkSync(file, link)
    if (linked === 'its directory') symlinkSync(dirname(file), dirname(link))

    const other = beforeTheFile ? file : link
    const second = sqliteStore(other)
    expect(await second.owner()).toEqual(owner)
    await refusal(second.claim({ ...claimant, pid: 12 }), 'store_owned', other)
    await second.enqueueCommand(command)
    expect(await (beforeTheFile ?? first).pendingCommands()).toEqual([command])
    await (beforeTheFile ?? first).close()
    expect((await second.claim({ ...claimant, pid: 12 })).epoch).toBe(owner.epoch + 1)
    await second.close()
    expect(existsSync(`${link}-owner`)).toBe(linked === 'its directory')
  },
)

test('an owner whose epoch was overtaken in the file is fenced off', async () => {
  const file = newFile()
  const store = sqliteStore(file)
  const { epoch } = await store.claim(claimant)
  const other = (await loadSqliteDriver()).open(file)
  other.exec('UPDATE ownership SET epoch = epoch + 1')
  other.close()
  await expect(store.commit(epoch, [start('r')])).rejects.toMatchObject({ name: 'LeaseLostError', code: 'lease_lost' })
  expect(await store.readRun('r')).toBeUndefined()
  await store.close()
})

test('readers see each commit of a live owner at once, and leave commands for it', async () => {
  const file = newFile()
  const [owner, other] = [sqliteStore(file), sqliteStore(file)]
  const { epoch } = await owner.claim(claimant)
  expect(await other.unfinished()).toEqual([])
  for (const runId of ['a', 'b', 'c']) {
    await owner.commit(epoch, [start(runId)])
    expect((await other.readRun(runId))?.id).toBe(runId)
  }
  const heard = new Promise<void>(resolve => owner.onCommands(resolve))
  await other.enqueueCommand({ id: 'c1', name: 'cancel', runId: 'a', args: '{}', at: 5 })
  await heard
  expect((await owner.pendingCommands()).map(command => command.id)).toEqual(['c1'])
  await owner.replyToCommand(epoch, 'c1', { value: '"done"' })
  expect(await other.readReply('c1')).toEqual({ value: '"done"' })
  await Promise.all([owner.close(), other.close()])
})

test('after closing, the write-ahead log is in the file, which is whole by itself', async () => {
  const file = await storeWithARun()
  const copy = join(dirname(file), 'copy.db')
  copyFileSync(file, copy)
  const store = sqliteStore(copy)
  expect(await store.unfinished()).toEqual(['r'])
  await store.close()
})

test('a file that is no database is refused, and nothing is put beside it', async () => {
  const file = newFile()
  const store = sqliteStore(file)
  await store.claim(claimant)
  await store.close()
  const plain = join(dirname(file), 'README.md')
  writeFileSync(plain, '# hello\n'.repeat(1000))
  await refusal(sqliteStore(plain).claim(claimant), 'store_corrupt', plain)
  await refusal(sqliteStore(plain).list({}), 'store_corrupt', plain)
  expect(readFileSync(plain, 'utf8')).toBe('# hello\n'.repeat(1000))
  expect(readdirSync(dirname(file)).filter(name => name.startsWith('README'))).toEqual(['README.md'])
})

test('the database of another program is refused and stays as it was', async () => {
  const file = await storeWithARun()
  const foreign = join(dirname(file), 'browser.db')
  const database = (await loadSqliteDriver()).open(foreign)
  database.exec('CREATE TABLE places (url TEXT)')
  database.close()
  const before = readFileSync(foreign)
  await refusal(sqliteStore(foreign).claim(claimant), 'store_corrupt', foreign)
  await refusal(sqliteStore(foreign).enqueueCommand(command), 'store_corrupt', foreign)
  await refusal(sqliteStore(foreign).unfinished(), 'store_corrupt', foreign)
  expect(readFileSync(foreign).equals(before)).toBe(true)
})

const command = { id: 'c', name: 'cancel', runId: 'r', args: '{}', at: 1 }

test.each(['DELETE FROM ownership', 'DROP TABLE ledger'])(
  'a store that lacks a part of itself (%s) is damaged',
  async sql => {
    const file = await storeWithARun()
    const database = (await loadSqliteDriver()).open(file)
    database.exec(sql)
    database.close()
    await refusal(sqliteStore(file).claim(claimant), 'store_corrupt', file)
  },
)

test('a truncated file and one with a damaged header are reported as corrupt', async () => {
  const whole = await storeWithARun()
  const bytes = readFileSync(whole)
  const truncated = join(dirname(whole), 'truncated.db')
  writeFileSync(truncated, bytes.subarray(0, 5 * 4096 + 100))
  await refusal(sqliteStore(truncated).claim(claimant), 'store_corrupt', truncated)
  await refusal(sqliteStore(truncated).readRun('r'), 'store_corrupt', truncated)

  const damaged = join(dirname(whole), 'damaged.db')
  writeFileSync(damaged, bytes.fill(0x5a, 100, 4096))
  await refusal(sqliteStore(damaged).claim(claimant), 'store_corrupt', damaged)
})

test('a store of a newer schema is refused by owner, reader and commander', async () => {
  const file = await storeWithARun()
  const database = (await loadSqliteDriver()).open(file)
  database.exec('PRAGMA user_version = 99')
  database.close()
  for (const operation of [
    (store: Store) => store.claim(claimant),
    (store: Store) => store.list({}),
    (store: Store) => store.enqueueCommand(command),
  ]) {
    const { message } = await refusal(operation(sqliteStore(file)), 'store_newer', file)
    expect(message).toContain('99')
  }
})

test('a directory that cannot be made or written, or that is in the place of the file, is told as read-only', async () => {
  const file = await storeWithARun()
  const below = join(file, 'deeper', 'holdfast.db')
  await refusal(sqliteStore(below).claim(claimant), 'store_readonly', below)
  const place = dirname(file)
  await refusal(sqliteStore(place).claim(claimant), 'store_readonly', place)
  await refusal(sqliteStore(place).list({}), 'store_readonly', place)
  expect(existsSync(`${place}-owner`)).toBe(false)
})

test('a full disk refuses the commit whole, keeps what was acknowledged, and says so', async () => {
  const file = newFile()
  const store = sqliteStore(
    file,
    driverWith(database => {
      database.exec('PRAGMA max_page_count = 60')
      return database
    }),
  )
  const { epoch } = await store.claim(claimant)
  await store.commit(epoch, [start('kept', JSON.stringify('x'.repeat(50_000)))])
  const tooMuch = JSON.stringify('x'.repeat(300_000))
  const refused = await refusal(store.commit(epoch, [start('small'), start('big', tooMuch)]), 'store_full', file)
  expect(refused.message).toContain('a commit of 2 runs')
  expect(refused.cause).toBeInstanceOf(Error)
  expect(await store.unfinished()).toEqual(['kept'])
  await store.commit(epoch, [start('small')])
  expect(await store.unfinished()).toEqual(['kept', 'small'])
  await store.close()
})

test('a commit that fails at its very end is rolled back, and the run it would have created can be created', async () => {
  let isBroken = false
  const store = sqliteStore(
    newFile(),
    driverWith(database => ({
      exec: sql => database.exec(sql),
      close: () => database.close(),
      prepare: sql => {
        const statement = database.prepare(sql)
        if (sql !== 'COMMIT') return statement
        return {
          get: statement.get.bind(statement),
          all: statement.all.bind(statement),
          run: () => {
            if (isBroken) throw Object.assign(new Error('disk I/O error'), { errcode: 4874 })
            return statement.run()
          },
        }
      },
    })),
  )
  const { epoch } = await store.claim(claimant)
  isBroken = true
  await expect(store.commit(epoch, [start('r')])).rejects.toMatchObject({ code: 'store_failed' })
  isBroken = false
  expect(await store.readRun('r')).toBeUndefined()
  await store.commit(epoch, [start('r')])
  expect(await store.unfinished()).toEqual(['r'])
  await store.close()
})

test('what is asked often is found by an index', async () => {
  const file = await storeWithARun()
  const database = (await loadSqliteDriver()).open(file, { readOnly: true })
  const plan = (sql: string): string =>
    (database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[]).map(row => row.detail).join('; ')
  expect(plan('SELECT id FROM runs ORDER BY created_at DESC, id DESC LIMIT 10')).toContain('runs_by_creation')
  expect(plan(`SELECT run FROM run_states WHERE status <> 'completed' AND status IN ('failed')`)).toContain(
    'run_states_not_completed',
  )
  expect(plan('SELECT position FROM commands WHERE replied = 0 ORDER BY position')).toContain('commands_pending')
  expect(plan('SELECT seq FROM journal WHERE run = 1 AND seq > 5 ORDER BY seq')).not.toContain('TEMP B-TREE')
  database.close()
})
