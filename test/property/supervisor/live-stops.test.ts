import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Actor, createMachine, fromCallback, fromTransition } from 'xstate'
import type { ChildSpec } from '../../../src/supervisor.ts'
import { checkLive } from '../../support/check-property.ts'
import { ids, type Population, populated, populations, workers } from '../../support/supervised-lives.ts'
import { Crash, fail, finish, propertyTimeoutMs, started, worker } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

/** Takes `ms` to shut down. */
const slow = (ms: number) =>
  createMachine({
    initial: 'working',
    states: {
      working: { on: { SHUTDOWN: 'draining' } },
      draining: { after: { [ms]: 'over' } },
      over: { type: 'final' },
    },
  })

/** Fails on demand and needs little else. */
const idle = fromTransition((state: object, { type }: { type: string }) => {
  if (type === 'FAIL') throw new Crash('crashed on demand')
  return state
}, {})

/** A tree of so many levels without any restart to spare, whose lowest worker has failed. */
async function gaveUp(depth: number, width: number) {
  const level = (logic: ChildSpec['logic']): ChildSpec[] => [
    ...Array.from({ length: width - 1 }, (_, n) => ({ id: `w${n}`, logic: worker })),
    { id: 'n', logic },
  ]
  let logic: ChildSpec['logic'] = worker
  for (let below = 1; below < depth; below++) logic = { intensity: 0, children: level(logic) }
  const staged = await started({ intensity: 0, children: level(logic) })
  fail(staged.sup, Array.from({ length: depth }, () => 'n').join('/'))
  await staged.clock.advance(0)
  return { ...staged, end: await staged.sup.stopped }
}

type Times = { readonly takesMs: number; readonly allowedMs: number }[]
const times: fc.Arbitrary<Times> = fc.array(fc.record({ takesMs: fc.nat(300), allowedMs: fc.nat(300) }), {
  minLength: 1,
  maxLength: 5,
})

/** Stops children that take their time; meanwhile one more, the last, ends by itself or is no longer waited for. */
async function stopped(list: Times, meanwhile: readonly (readonly [number, 'fail' | 'finish' | 'stop'])[]) {
  const children: ChildSpec[] = list.map(({ takesMs, allowedMs }, index) => ({
    id: ids[index] as string,
    logic: slow(takesMs),
    shutdown: allowedMs,
  }))
  if (meanwhile.length > 0) children.unshift({ id: 'w', logic: worker })
  const staged = await started({ children })
  const { sup, clock, forget } = staged
  forget()
  const begun = clock.now()
  let tookMs = Number.NaN
  const stopping = sup.stop().then(() => {
    tookMs = clock.now() - begun
  })
  for (const [ms, how] of meanwhile) {
    await clock.advance(ms)
    if (how === 'stop') void sup.stop()
    else if (how === 'fail') fail(sup, 'w')
    else finish(sup, 'w')
  }
  await clock.advance(list.reduce((sum, { takesMs, allowedMs }) => sum + Math.min(takesMs, allowedMs), 0))
  await stopping
  return { ...staged, tookMs }
}

describe('live supervisors that stop or give up', () => {
  it('property 31, live: a stop during backoff cancels it, and no start comes later', () =>
    checkLive<[('permanent' | 'transient')[], number]>(
      fc.array(fc.constantFrom('permanent' as const, 'transient' as const), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 0, max: 99 }),
      async (types, waited) => {
        const { sup, clock, lines, forget } = await started({
          intensity: 100,
          backoff: { kind: 'exponential', base: 100, jitter: 0.5 },
          children: workers(types),
        })
        types.forEach((_, index) => {
          fail(sup, ids[index] as string)
        })
        await clock.advance(waited)
        forget()
        await sup.stop()
        expect(clock.pending).toBe(0)
        await clock.advance('1h')
        expect(lines()).toEqual(['stopped shutdown'])
      },
    ))

  it('property 33, live: an exceeded intensity stops all children before the parent is told', () =>
    checkLive<[number, number]>(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
      async (depth, width) => {
        const { events } = await gaveUp(depth, width)
        const alive = new Set<string>()
        for (const event of events) {
          if (event.type === 'child.started') alive.add(event.id)
          if (event.type !== 'child.exited') continue
          alive.delete(event.id)
          expect([...alive].filter(id => id.startsWith(`${event.id}/`))).toEqual([])
        }
        expect([...alive]).toEqual([])
      },
    ))

  it('property 34, live: escalation reaches the root in at most depth steps and keeps the cause chain', () =>
    checkLive<[number, number]>(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 3 }),
      async (depth, width) => {
        const { events, end } = await gaveUp(depth, width)
        expect(events.filter(event => event.type === 'escalated')).toHaveLength(depth)
        const chain: unknown[] = []
        for (let at: unknown = end.cause; at instanceof Error; at = at.cause) chain.push(at)
        expect(chain).toHaveLength(depth + 1)
        expect(chain.at(-1)).toBeInstanceOf(Crash)
      },
    ))

  it('property 35, live: exceeded at the root is a defined end, never an uncaught exception', () =>
    checkLive<[number, number]>(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      async (depth, width) => {
        const uncaught: unknown[] = []
        const note = (error: unknown): void => void uncaught.push(error)
        process.on('uncaughtException', note).on('unhandledRejection', note)
        const { sup, end, clock } = await gaveUp(depth, width)
        await clock.advance('1h')
        process.off('uncaughtException', note).off('unhandledRejection', note)
        expect(uncaught).toEqual([])
        expect(end).toMatchObject({ reason: 'intensity', cause: { code: 'restart_intensity' } })
        expect(sup.countChildren().active).toBe(0)
        await expect(sup.startChild({ id: 'late', logic: worker })).rejects.toMatchObject({
          code: 'supervisor_stopped',
        })
      },
    ))

  it('property 36, live: stop is strictly reverse', () =>
    checkLive<[Times]>(times, async list => {
      const { events } = await stopped(list, [])
      const order = events.flatMap(event => (event.type === 'child.exited' ? [event.id] : []))
      expect(order).toEqual(ids.slice(0, list.length).reverse())
    }))

  it('property 37, live: each stop takes at most its timeout and is then forced, the total at most the sum', () =>
    checkLive<[Times]>(times, async list => {
      const { lines, tookMs, clock } = await stopped(list, [])
      for (const [index, { takesMs, allowedMs }] of list.entries()) {
        if (takesMs === allowedMs) continue
        expect(lines()).toContain(`-${ids[index]}1 ${takesMs < allowedMs ? 'shutdown' : 'killed'}`)
      }
      expect(tookMs).toBe(list.reduce((sum, { takesMs, allowedMs }) => sum + Math.min(takesMs, allowedMs), 0))
      expect(clock.pending).toBe(0)
    }))

  it('property 38, live: stop is idempotent and ends even when children die meanwhile, for any reason', () =>
    checkLive<[Times, [number, 'fail' | 'finish' | 'stop'][]]>(
      times,
      fc.array(fc.tuple(fc.nat(100), fc.constantFrom('fail' as const, 'finish' as const, 'stop' as const)), {
        maxLength: 4,
      }),
      async (list, meanwhile) => {
        const { sup, events, clock } = await stopped(list, meanwhile)
        expect((await sup.stopped).reason).toBe('shutdown')
        expect(events.filter(event => event.type === 'supervisor.stopped')).toHaveLength(1)
        expect(events.filter(event => event.type === 'restart.decided')).toEqual([])
        const exited = events.flatMap(event => (event.type === 'child.exited' ? [event.id] : []))
        expect(exited.toSorted()).toEqual([...ids.slice(0, list.length), ...(meanwhile.length > 0 ? ['w'] : [])])
        expect(clock.pending).toBe(0)
      },
    ))

  it('property 32, live: timers make progress during a restart storm', () =>
    checkLive<[number, number]>(
      fc.integer({ min: 65, max: 200 }),
      fc.integer({ min: 1, max: 4 }),
      async (count, ticks) => {
        const children = Array.from({ length: count }, (_, n) => ({ id: `c${n}`, logic: idle }))
        const { sup, clock } = await started({ intensity: 1_000_000, children })
        for (const { id } of children) fail(sup, id)
        const activeWhenFired: number[] = []
        const tick = (): void => {
          activeWhenFired.push(sup.countChildren().active)
          if (activeWhenFired.length < ticks) clock.setTimeout(tick, 0)
        }
        clock.setTimeout(tick, 0)
        await clock.advance(0)
        for (const [n, active] of activeWhenFired.entries()) expect(active).toBeLessThanOrEqual(64 * (n + 1))
        expect(activeWhenFired).toHaveLength(ticks)
        expect(sup.countChildren().active).toBe(count)
      },
    ))

  it('property 39, live: after stop there is no live actor, timer or subscription', () =>
    checkLive<[Population]>(populations, async population => {
      let alive = 0
      const logic = fromCallback(({ receive }) => {
        alive++
        receive(({ type }) => {
          if (type === 'FAIL') throw new Crash('crashed on demand')
        })
        return () => {
          alive--
        }
      })
      const subscriptions = vi.spyOn(Actor.prototype, 'subscribe')
      const { clock } = await populated(population, async () => {}, logic)
      const actors = subscriptions.mock.contexts as unknown as { observers: Set<unknown>; getSnapshot(): unknown }[]
      subscriptions.mockRestore()
      expect(clock.pending).toBe(0)
      expect(alive).toBe(0)
      expect(actors.filter(actor => actor.observers.size > 0)).toEqual([])
      expect(actors.filter(actor => (actor.getSnapshot() as { status: string }).status === 'active')).toEqual([])
    }))
})
