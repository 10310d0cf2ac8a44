import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { memoryStore } from '../../src/store/memory-store.ts'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { storeConformance } from '../../src/testing/store-conformance.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-store-'))
let files = 0
const sqliteInNewFile = (): Store => sqliteStore(join(directory, `${files++}`, 'holdfast.db'))

afterAll(() => rmSync(directory, { recursive: true, force: true }))

const stores: readonly (readonly [name: string, open: () => Store])[] = [
  ['the memory store', memoryStore],
  ['the SQLite store', sqliteInNewFile],
  ['a faulty store without faults, in memory', () => faultyStore(memoryStore())],
  ['a faulty store without faults, on SQLite', () => faultyStore(sqliteInNewFile())],
]

describe.each(stores)('%s', (_, open) => {
  test.each(storeConformance)('$name', ({ run }) => run(open))
})
