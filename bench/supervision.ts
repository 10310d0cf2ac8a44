/**
 * What supervision costs. `storm`: 20,000 failures a second for 10 s, each an error that an XState actor throws and a new
 * actor started in its place: whether the pace is kept, the delay of the event loop meanwhile, and memory before and
 * after; once with children that are machines and once with `fromTransition`. `floor`: what XState alone needs for the
 * same actors, sent the same event and made anew by a loop. `tree`: 1,000 to 30,000 live children under
 * dynamic supervisors, started, a tenth of them failed, and stopped: time and memory for each child.
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { type AnyActorLogic, createActor, fromCallback, fromTransition, setup } from 'xstate'
import { createSupervisor, type Supervisor } from '../src/supervisor.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    logic: { type: 'string', default: 'machine,transition' },
    children: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '10' },
  },
})

const failure = new Error('a failure of the benchmark')

const worker = setup({
  actions: {
    crash: () => {
      throw failure
    },
  },
}).createMachine({ initial: 'working', states: { working: { on: { FAIL: { actions: 'crash' } } } } })

const logics: Record<string, AnyActorLogic> = {
  machine: worker,
  callback: fromCallback(({ receive }) => {
    receive(() => {
      throw failure
    })
  }),
  transition: fromTransition(
    state => {
      if (state.isUp) throw failure
      return state
    },
    { isUp: true },
  ),
}

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`

/** Fails children in turn, as many as are due by the clock, and lets the loop go round. */
async function storm(kind: string, children: number, rate: number, seconds: number): Promise<void> {
  const logic = logics[kind] as AnyActorLogic
  const sup = createSupervisor({ intensity: Number.MAX_SAFE_INTEGER, period: 1000 })
  await sup.start()
  const refs = []
  for (let n = 0; n < children; n++) refs.push(await sup.startChild({ id: `c${n}`, logic }))
  await failFor(refs, rate, 2)

  const idleDelayMs = await delayWhenIdleMs()
  global.gc?.()
  const before = process.memoryUsage()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const cpu = process.cpuUsage()
  const begun = performance.now()
  delay.enable()
  const failures = await failFor(refs, rate, seconds)
  delay.disable()
  const elapsed = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  global.gc?.()
  const after = process.memoryUsage()
  await sup.stop()

  console.log(`storm of failures: ${rate} a second asked for, ${seconds} s, ${children} children (${kind})`)
  console.log(`  failures a second     ${Math.round(failures / elapsed)}`)
  console.log(`  CPU a failure         ${((user + system) / failures).toFixed(1)} µs`)
  console.log(
    `  event loop delay p99  ${(delay.percentile(99) / 1e6).toFixed(1)} ms, max ${(delay.max / 1e6).toFixed(1)} ms`,
  )
  console.log(`  the same, idle        ${idleDelayMs.toFixed(1)} ms (what the machine adds)`)
  console.log(`  RSS                   ${megabytes(before.rss)} before, ${megabytes(after.rss)} after`)
  console.log(`  heap                  ${megabytes(before.heapUsed)} before, ${megabytes(after.heapUsed)} after`)
}

/** The same failures without a supervisor: what is left is XState's own work. */
function floor(kind: string, children: number): void {
  const start = () => {
    const actor = createActor(logics[kind] as AnyActorLogic, { id: 'a' })
    actor.subscribe({ error: () => {} })
    return actor.start()
  }
  const actors = Array.from({ length: children }, start)
  const failures = 200_000
  let cpu = process.cpuUsage()
  for (let sent = -failures / 4; sent < failures; sent++) {
    if (sent === 0) cpu = process.cpuUsage()
    const next = (sent + failures) % children
    actors[next]?.send({ type: 'FAIL' })
    actors[next] = start()
  }
  const { user, system } = process.cpuUsage(cpu)
  console.log(`XState alone, ${children} actors (${kind})`)
  console.log(`  CPU a failure         ${((user + system) / failures).toFixed(1)} µs`)
}

/** The p99 of the event loop's delay with nothing to do: other programs on the machine show here. */
async function delayWhenIdleMs(): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const until = performance.now() + 1000
  while (performance.now() < until) await nextTurn()
  delay.disable()
  return delay.percentile(99) / 1e6
}

interface Failing {
  readonly incarnation: number
  send(event: { type: string }): void
}

async function failFor(refs: readonly Failing[], rate: number, seconds: number): Promise<number> {
  const incarnations = () => refs.reduce((sum, ref) => sum + ref.incarnation, 0)
  const atFirst = incarnations()
  const begun = performance.now()
  let sent = 0
  for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - begun) {
    const due = Math.min(Math.floor((elapsed * rate) / 1000), seconds * rate)
    for (let inTurn = 0; sent < due && inTurn < 100; inTurn++)
      (refs[sent++ % refs.length] as Failing).send({ type: 'FAIL' })
    await nextTurn()
  }
  while (incarnations() - atFirst < sent) await nextTurn()
  return sent
}

/** A root with dynamic supervisors of a thousand children each. */
async function tree(children: number): Promise<void> {
  global.gc?.()
  const heapBefore = process.memoryUsage().heapUsed
  const pools = Math.ceil(children / 1000)
  const sup = createSupervisor({
    children: Array.from({ length: pools }, (_, n) => ({
      id: `p${n}`,
      logic: { intensity: Number.MAX_SAFE_INTEGER },
    })),
  })
  await sup.start()
  const times = [performance.now()]
  for (let n = 0; n < children; n++) await poolOf(sup, n).startChild({ id: `c${n}`, logic: worker })
  times.push(performance.now())
  global.gc?.()
  const heap = process.memoryUsage().heapUsed - heapBefore
  times.push(performance.now())
  const failed = []
  for (let n = 0; n < children; n += 10) failed.push(sup.child(`p${Math.floor(n / 1000)}/c${n}`))
  for (const ref of failed) ref.send({ type: 'FAIL' })
  // Restarts are in the order of the failures.
  while (failed.at(-1)?.incarnation === 1) await nextTurn()
  times.push(performance.now())
  await sup.stop()
  times.push(performance.now())

  const [begun = 0, started = 0, measured = 0, restarted = 0, stopped = 0] = times
  const micros = (ms: number, count: number): string => ((ms * 1000) / count).toFixed(1).padStart(8)
  console.log(
    String(children).padStart(8),
    micros(started - begun, children),
    micros(restarted - measured, children / 10),
    micros(stopped - restarted, children),
    String(Math.round(heap / children)).padStart(8),
  )
}

const poolOf = (sup: Supervisor, n: number): Supervisor => sup.supervisor(`p${Math.floor(n / 1000)}`)

const isAsked = (part: string): boolean => values.only === undefined || values.only === part

for (const kind of values.logic.split(',')) {
  const children = Number(values.children)
  if (isAsked('storm')) await storm(kind, children, Number(values.rate), Number(values.seconds))
  if (isAsked('floor')) floor(kind, children)
}
if (isAsked('tree')) {
  await tree(1000)
  console.log('children    start  restart     stop   (µs each)  bytes each')
  for (const children of [1000, 3000, 10_000, 30_000]) await tree(children)
}
