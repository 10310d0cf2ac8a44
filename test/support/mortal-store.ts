/**
 * A store on SQLite whose process really dies: at a chosen write to it, by SIGKILL to itself. `before`: as the write is
 * asked for. `after`: when it is done and nobody has heard of it. `torn`: in the middle of it, before one of the
 * statements that SQLite is given, so mostly inside of a transaction.
 */
import { loadSqliteDriver, type SqliteDatabase, type SqliteDriver } from '../../src/store/sqlite-driver.ts'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'

export type DeathMode = 'before' | 'torn' | 'after'

export interface Death {
  /** The number of the write, from 1. */
  readonly at: number
  readonly mode: DeathMode
  /** Of a torn one: the number of the statement of this write that is never carried out, from 1. */
  readonly statement: number
}

export interface MortalStore extends Store {
  /** Of each write so far, how many statements SQLite was given. */
  readonly statements: readonly number[]
}

const writes = ['claim', 'commit', 'enqueueCommand', 'replyToCommand', 'purge', 'purgeCommands'] as const

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('a process that has killed itself goes on')
}

/** @param onWrite told before each write, and before a death */
export function mortalStore(file: string, death: Death | undefined, onWrite: () => void): MortalStore {
  const statements: number[] = []
  let dyingBefore = 0

  const beforeStatement = (): void => {
    const count = (statements.at(-1) ?? 0) + 1
    if (count === dyingBefore) die()
    if (statements.length > 0) statements[statements.length - 1] = count
  }

  const store = sqliteStore(file, async () => watched(await loadSqliteDriver(), beforeStatement))
  const mortal = { ...store, statements }
  for (const name of writes) {
    const write = store[name] as (...given: unknown[]) => Promise<unknown>
    const lethal = async (...given: unknown[]): Promise<unknown> => {
      onWrite()
      const isLast = statements.push(0) === death?.at
      if (isLast && death.mode === 'before') die()
      dyingBefore = isLast && death.mode === 'torn' ? death.statement : 0
      const value = await write(...given)
      // One that had fewer statements this time is torn at its end.
      if (isLast) die()
      return value
    }
    Object.assign(mortal, { [name]: lethal })
  }
  return mortal
}

/** The driver, with a word before each statement that it is given. */
function watched(driver: SqliteDriver, beforeStatement: () => void): SqliteDriver {
  const told =
    <TGiven extends unknown[], TValue>(call: (...given: TGiven) => TValue) =>
    (...given: TGiven): TValue => {
      beforeStatement()
      return call(...given)
    }
  const database = (inner: SqliteDatabase): SqliteDatabase => ({
    exec: told(sql => inner.exec(sql)),
    prepare(sql) {
      const statement = inner.prepare(sql)
      return {
        run: told((...values) => statement.run(...values)),
        get: told((...values) => statement.get(...values)),
        all: told((...values) => statement.all(...values)),
      }
    },
    close: () => inner.close(),
  })
  return { ...driver, open: (path, options) => database(driver.open(path, options)) }
}
