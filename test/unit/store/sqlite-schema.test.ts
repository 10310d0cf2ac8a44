import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadSqliteDriver, type SqliteDatabase } from '../../../src/store/sqlite-driver.ts'
import { type Migration, migrate, migrations, schemaVersion } from '../../../src/store/sqlite-schema.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-schema-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const open = async (name: string): Promise<SqliteDatabase> => (await loadSqliteDriver()).open(join(directory, name))

const newest = migrations.length
const next: Migration = { version: newest + 1, sql: 'ALTER TABLE runs ADD COLUMN colour TEXT; CREATE TABLE extra (a)' }
const broken: Migration = { version: newest + 2, sql: 'CREATE TABLE half (a); INSERT INTO nowhere VALUES (1)' }

test('versions are numbered from 1 without a gap', () => {
  expect(migrations.map(migration => migration.version)).toEqual(migrations.map((_, index) => index + 1))
})

test('an older store is brought forward and keeps its rows', async () => {
  const database = await open('older.db')
  migrate(database, 'older.db')
  database.exec(`INSERT INTO runs (run_id, created_at, workflow, version, definition_hash, tags, search, options, input)
    VALUES ('r', 1, 'w', '1', 'h', '[]', 'r', '{}', '{}')`)
  migrate(database, 'older.db', [...migrations, next])
  expect(schemaVersion(database, 'older.db', [...migrations, next])).toBe(newest + 1)
  expect({ ...(database.prepare('SELECT run_id, colour FROM runs').get() as object) }).toEqual({
    run_id: 'r',
    colour: null,
  })
  migrate(database, 'older.db', [...migrations, next])
  database.close()
})

test('a migration that fails leaves the version before it, whole', async () => {
  const database = await open('broken.db')
  expect(() => migrate(database, 'broken.db', [...migrations, next, broken])).toThrow('nowhere')
  expect(schemaVersion(database, 'broken.db', [...migrations, next, broken])).toBe(newest + 1)
  expect(database.prepare(`SELECT name FROM sqlite_master WHERE name = 'half'`).get()).toBeUndefined()
  database.close()
})

test('a store of a newer version is refused', async () => {
  const database = await open('newer.db')
  migrate(database, 'newer.db', [...migrations, next])
  expect(() => migrate(database, 'newer.db')).toThrow(expect.objectContaining({ code: 'store_newer' }))
  database.close()
})
