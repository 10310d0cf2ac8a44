/**
 * The response cache in a file beside the store: it survives the process, and is thrown away without loss. It has a file
 * of its own, so that no commit of the store waits for it and no backup carries it (ADR 0016). Whatever is wrong with
 * it is logged once, and from then on it has nothing.
 */
import { createHash } from 'node:crypto'
import type { ModelRequest } from '../../providers/provider.ts'
import { type CachedAnswer, cacheLimits, questionOf, type ResponseCache } from '../../resilience/response-cache.ts'
import type { SqliteDatabase, SqliteDriver } from '../../store/sqlite-driver.ts'
import type { Clock } from '../../time/clock.ts'

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = OFF;
  CREATE TABLE IF NOT EXISTS answers (
    question TEXT PRIMARY KEY, at INTEGER NOT NULL, used INTEGER NOT NULL, answer TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used);
`

export function fileCache(
  path: string,
  driver: SqliteDriver,
  clock: Clock,
  onFailure: (error: unknown) => void,
): ResponseCache {
  let database: SqliteDatabase | undefined
  let broken = false

  /** What the work gives; undefined, and no further try, where the file cannot be used. */
  const attempt = <T>(work: (open: SqliteDatabase) => T): T | undefined => {
    if (broken) return undefined
    try {
      if (database === undefined) {
        database = driver.open(path)
        database.exec(schema)
      }
      return work(database)
    } catch (error) {
      broken = true
      onFailure(error)
      return undefined
    }
  }

  return {
    get: request =>
      attempt(open => {
        const question = nameOf(request)
        const oldest = clock.now() - cacheLimits.keptMs
        const row = open.prepare('SELECT answer FROM answers WHERE question = ? AND at >= ?').get(question, oldest)
        if (row === undefined) return undefined
        open.prepare('UPDATE answers SET used = ? WHERE question = ?').run(clock.now(), question)
        return JSON.parse((row as { answer: string }).answer) as CachedAnswer
      }),
    put(request, answer) {
      const text = JSON.stringify(answer)
      if (text.length > cacheLimits.characters) return
      attempt(open => {
        const now = clock.now()
        open
          .prepare('INSERT OR REPLACE INTO answers (question, at, used, answer) VALUES (?, ?, ?, ?)')
          .run(nameOf(request), now, now, text)
        open.prepare('DELETE FROM answers WHERE at < ?').run(now - cacheLimits.keptMs)
        open
          .prepare(
            'DELETE FROM answers WHERE question IN (SELECT question FROM answers ORDER BY used DESC LIMIT -1 OFFSET ?)',
          )
          .run(cacheLimits.entries)
      })
    },
    close() {
      database?.close()
      database = undefined
      broken = true
    },
  }
}

const nameOf = (request: ModelRequest): string => createHash('sha256').update(questionOf(request)).digest('hex')
