/** A store whose thread for the owner's writes is started with the claim. The thread is the built one. */
import { Worker } from 'node:worker_threads'
import { loadSqliteDriver } from '../../src/store/sqlite-driver.ts'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'

const threadModule = new URL('../../dist/src/store/sqlite-thread.js', import.meta.url)

export const storeWithThread = (file: string): Store =>
  sqliteStore(file, loadSqliteDriver, {
    start: workerData => new Worker(threadModule, { workerData, execArgv: [] }),
    afterCommits: 0,
  })

/** Resolves when the writes of a claimed store have their thread. */
export async function untilInThread(store: Store): Promise<void> {
  for (let looks = 0; looks < 1000; looks++) {
    if ((await store.describe()).settings.commits_in === 'a thread of their own') return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error('the thread does not start; npm run build first')
}
