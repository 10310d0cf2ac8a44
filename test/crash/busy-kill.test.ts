import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import { seededRandom } from '../../src/time/random.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-busy-'))
const script = fileURLToPath(new URL('./busy-process.ts', import.meta.url))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const start = (file: string, ...more: string[]) =>
  spawn(process.execPath, ['--import', 'tsx', script, file, ...more], { stdio: ['ignore', 'pipe', 'inherit'] })

/** Kills a busy process so many ended runs after its commits got their thread; gives the runs whose end it told. */
async function killBusy(file: string, after: number): Promise<string[]> {
  const child = start(file)
  const told: string[] = []
  let inThread = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [status, id] = line.split(' ') as [string, string]
    if (line === 'in a thread') inThread = told.length
    else {
      expect(status).toBe('completed')
      told.push(id)
    }
    if (inThread > 0 && told.length >= inThread + after) child.kill('SIGKILL')
  }
  expect(child.killed).toBe(true)
  return told
}

test('a busy process that is killed while a thread commits has lost nothing that it told of, and goes on', async () => {
  const file = join(directory, 'busy.db')
  const random = seededRandom(20261128)
  const told: string[] = []
  for (let kill = 0; kill < 5; kill++) {
    told.push(...(await killBusy(file, 1 + Math.floor(random() * 300))))
    const store = sqliteStore(file)
    for (const id of told) expect((await store.readRun(id))?.status, id).toBe('completed')
    expect(await store.verify?.()).toEqual([])
    await store.close()
  }
  const child = start(file, 'recover')
  child.stdout.resume()
  expect(await once(child, 'close')).toEqual([0, null])
  const store = sqliteStore(file)
  expect(await store.unfinished()).toEqual([])
  expect(await store.verify?.()).toEqual([])
  for (const id of told) {
    const journal = await store.readJournal(id)
    expect(journal.filter(({ type }) => type === 'stage.succeeded')).toHaveLength(3)
  }
  await store.close()
})
