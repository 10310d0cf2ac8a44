/**
 * The power fails: the writes and syncs of a real process are recorded with `strace`, and replayed into what a disk may
 * hold at each moment, without what was not yet synced, or with any part of it. Each disk is recovered: every start,
 * signal and end that had been acknowledged is there, and every run goes on to its end.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import { seededRandom } from '../../src/time/random.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import { afterPowerLoss, type DiskEvent, diskEvents, type Luck } from '../support/disk-trace.ts'
import { prove } from '../support/proof.ts'

const program = new URL('./power-workflow.mjs', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'holdfast-power-'))
const lucks: readonly Luck[] = ['none', 'all', 'some', 'torn']
const seed = Number(process.env.HOLDFAST_SEED ?? 20261123)
/** Each n-th moment of thousands; `npm run verify` takes seven times as many. */
const every = 5 * Number(process.env.HOLDFAST_CRASH_EVERY ?? 7)
const runs = 12

const hasStrace = spawnSync('strace', ['-V']).status === 0
if (!hasStrace)
  process.stdout.write('strace is not installed here: power loss was not tried (apt-get install strace)\n')

let disks = 0
let agreed = 0
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
  if (hasStrace) prove(`disks after a loss of power (seed ${seed})`, { disks, divergences: disks - agreed })
})

const workflow = defineWorkflow({ name: 'power', version: '1', signals: { go: z.unknown() } })
  .stage('one', ({ step }) => step('one', () => 'x'.repeat(700)))
  .stage('two', ({ waitFor }) => waitFor('go'))
  .stage('three', ({ results }) => results.two)

function record(): { events: DiskEvent[]; store: string } {
  const place = join(directory, 'recorded')
  mkdirSync(place)
  const store = join(place, 'holdfast.db')
  const trace = join(directory, 'trace')
  const calls = 'trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink'
  const args = ['-ff', '-y', '-xx', '-s', '1000000', '-e', calls, '-o', trace, process.execPath, program, store]
  const { status, stderr } = spawnSync('strace', [...args, String(runs)], { maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`the recorded program ended with ${status}: ${stderr}`)
  // SQLite answers in the thread that asks: the one that writes the log is the one that tells.
  const traces = readdirSync(directory).filter(name => name.startsWith('trace.'))
  const events = traces
    .map(name => diskEvents(readFileSync(join(directory, name), 'utf8').split('\n')))
    .find(found => found.some(event => event.do === 'write' && event.file.endsWith('-wal')))
  if (!events) throw new Error('no thread wrote the log')
  const belongs = (event: DiskEvent): boolean =>
    event.do === 'tell' || event.file === place || ['', '-wal', '-journal'].includes(event.file.slice(store.length))
  return { events: events.filter(event => belongs(event)), store }
}

async function expectAcknowledged(disk: ReadonlyMap<string, Buffer>, told: readonly string[], where: string) {
  disks++
  const place = join(directory, `disk-${disks}`)
  mkdirSync(place)
  for (const [name, content] of disk) writeFileSync(join(place, name), content)
  const runtime = await createRuntime({
    store: join(place, 'holdfast.db'),
    workflows: [workflow],
    logger: false,
    mode: 'minimal',
  })
  for (const line of told) {
    const [, what, id = ''] = line.split(' ')
    const run = await runtime.get(id)
    const types: string[] = []
    if (what === 'signal') {
      for await (const { type } of run.events()) {
        types.push(type)
        if (type === 'signal.received') break
      }
      expect(types, `${where}: ${line}`).toContain('signal.received')
    }
    if (what === 'end') expect(await run.status(), `${where}: ${line}`).toBe('completed')
    if (!told.some(other => other.endsWith(`signal ${id}`)) && (await run.status()) !== 'completed') {
      await run.signal('go', Number(id.slice(1)))
    }
  }
  const ids = new Set(told.map(line => line.split(' ')[2] ?? ''))
  for (const id of ids) {
    const result = await (await runtime.get(id)).result()
    expect(result, `${where}: ${id}`).toMatchObject({ success: true, output: Number(id.slice(1)) })
  }
  await runtime.close()
  rmSync(place, { recursive: true, force: true })
  agreed++
}

it.skipIf(!hasStrace)(
  'what was acknowledged survives a loss of power at any moment',
  { timeout: 900_000 },
  async () => {
    const random = seededRandom(seed)
    const { events, store } = record()
    const told: string[] = []
    expect(events.filter(event => event.do === 'sync').length).toBeGreaterThan(20)
    for (let count = 1; count <= events.length; count++) {
      const event = events[count - 1] as DiskEvent
      if (event.do === 'tell') told.push(...event.text.split('\n').filter(line => line.startsWith('ack ')))
      if ((count + Math.floor(random() * every)) % every !== 0) continue
      for (const luck of lucks) {
        const disk = afterPowerLoss(events, count, luck, random)
        const named = new Map([...disk].map(([file, content]) => [`holdfast.db${file.slice(store.length)}`, content]))
        await expectAcknowledged(named, told, `after ${count} of ${events.length} events, luck '${luck}'`)
      }
    }
    expect(told.filter(line => line.startsWith('ack start'))).toHaveLength(runs)
  },
)
