import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Actor, createMachine, fromCallback, fromTransition } from 'xstate'
import type { ChildSpec, SupervisorEvent } from '../../../src/supervisor.ts'
import {
  Crash,
  fail,
  finish,
  propertyRuns,
  propertyTimeoutMs,
  type Stage,
  stage,
  started,
  stillborn,
  worker,
} from '../../support/supervised-worker.ts'

const ids = ['a', 'b', 'c', 'd', 'e']
const restarts = fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const)
const strategies = fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const)
const kinds = fc.array(restarts, { minLength: 1, maxLength: 5 })

const workers = (types: readonly ('permanent' | 'transient' | 'temporary')[]): ChildSpec[] =>
  types.map((restart, index) => ({ id: ids[index] as string, logic: worker, restart }))

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

const check = async <T extends [unknown, ...unknown[]]>(
  ...args: [...{ [K in keyof T]: fc.Arbitrary<T[K]> }, (...values: T) => Promise<void>]
): Promise<void> => {
  const property = fc.asyncProperty(...(args as unknown as [fc.Arbitrary<unknown>, () => Promise<void>]))
  await fc.assert(property, { numRuns: propertyRuns })
}

/** At most one live incarnation an id, numbers that go up by one, no exit without a start. */
function checkIncarnations(events: readonly SupervisorEvent[]): void {
  const live = new Map<string, number>()
  const last = new Map<string, number>()
  for (const event of events) {
    if (event.type === 'child.started') {
      expect(live.has(event.id)).toBe(false)
      expect(event.incarnation).toBe((last.get(event.id) ?? 0) + 1)
      live.set(event.id, event.incarnation)
      last.set(event.id, event.incarnation)
    } else if (event.type === 'child.exited') {
      expect(live.get(event.id)).toBe(event.incarnation)
      live.delete(event.id)
    }
  }
}

const incarnations = ({ sup }: Stage): Map<string, number> =>
  new Map(sup.whichChildren().map(child => [child.id, child.incarnation]))

type Restart = 'permanent' | 'transient' | 'temporary'
type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one'
const groupStrategies = fc.constantFrom('one-for-all' as const, 'rest-for-one' as const)

/** Fails on demand and needs little else. */
const idle = fromTransition((state: object, { type }: { type: string }) => {
  if (type === 'FAIL') throw new Crash('crashed on demand')
  return state
}, {})

interface Population {
  readonly maxChildren: number
  readonly commands: readonly (readonly ['add' | 'fail' | 'finish' | 'terminate' | 'restart' | 'advance', string])[]
}

const populations: fc.Arbitrary<Population> = fc.record({
  maxChildren: fc.integer({ min: 1, max: 4 }),
  commands: fc.array(
    fc.tuple(
      fc.constantFrom(
        'add' as const,
        'add' as const,
        'fail' as const,
        'finish' as const,
        'terminate' as const,
        'restart' as const,
        'advance' as const,
      ),
      fc.constantFrom(...ids),
    ),
    { maxLength: 30 },
  ),
})

/** A random life of dynamic children, and then the stop; `after` is told after each command. */
async function populated(
  { maxChildren, commands }: Population,
  after: (staged: Stage, id: string) => Promise<void>,
  logic: ChildSpec['logic'] = worker,
): Promise<Stage> {
  const staged = await started({ maxChildren, intensity: 100, backoff: { kind: 'fixed', base: 10 } })
  const { sup, clock } = staged
  const ignore = (): void => {}
  for (const [command, id] of commands) {
    if (command === 'add') await sup.startChild({ id, logic, restart: 'transient' }).catch(ignore)
    else if (command === 'terminate') await sup.terminateChild(id).catch(ignore)
    else if (command === 'restart') await sup.restartChild(id).catch(ignore)
    else if (command === 'advance') await clock.advance(5)
    else if (sup.whichChildren().some(child => child.id === id && child.status === 'running')) {
      sup.child(id).send({ type: command === 'fail' ? 'FAIL' : 'FINISH' })
    }
    await after(staged, id)
  }
  await sup.stop()
  return staged
}

/** What followed when one of the children failed. */
async function failedOnce(strategy: Strategy, types: readonly Restart[], pick: number) {
  const staged = await started({ strategy, children: workers(types) })
  staged.forget()
  const failed = pick % types.length
  fail(staged.sup, ids[failed] as string)
  await staged.clock.advance(0)
  return { failed, events: staged.events, lines: staged.lines(), after: incarnations(staged) }
}

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

type MailStep = 'send' | 'fail' | 'advance' | 'terminate' | 'restart'
const mailSteps = fc.array(
  fc.constantFrom<MailStep>('send', 'send', 'send', 'fail', 'advance', 'terminate', 'restart'),
  { maxLength: 40 },
)

/** Mail to one child over a random life: what it saw and in which incarnation, and what became a dead letter. */
async function mailed(list: readonly MailStep[]) {
  const seen: number[] = []
  const seenBy: { incarnation: number; current: number }[] = []
  const staged = await started({
    intensity: 100,
    backoff: { kind: 'fixed', base: 10 },
    children: [
      {
        id: 'a',
        logic: worker.provide({
          actions: {
            note: ({ event, self }) => {
              if (event.type === 'NOTE') seen.push(event.what as number)
              seenBy.push({ incarnation: Number(self.id.split('#')[1]), current: ref.incarnation })
            },
          },
        }),
      },
    ],
  })
  const { sup, clock, events } = staged
  const ref = sup.child('a')
  const counts: ReturnType<typeof sup.mailCounts>[] = []
  let sent = 0
  for (const step of list) {
    if (step === 'send') ref.send({ type: 'NOTE', what: sent++ } as never)
    else if (step === 'fail') ref.send({ type: 'FAIL' } as never)
    else if (step === 'advance') await clock.advance(6)
    else await sup[`${step}Child`]('a').catch(() => {})
    counts.push(sup.mailCounts())
  }
  await sup.stop()
  const dead = events.flatMap(event =>
    event.type === 'dead-letter' && event.event.type === 'NOTE'
      ? [(event.event as unknown as { what: number }).what]
      : [],
  )
  return { seen, seenBy, dead, sent, counts, ref, sup }
}

vi.setConfig({ testTimeout: propertyTimeoutMs })

describe('live supervisors', () => {
  it('property 1, live: children start in spec order', () =>
    check<[('permanent' | 'transient' | 'temporary')[], 'one-for-one' | 'one-for-all' | 'rest-for-one']>(
      kinds,
      strategies,
      async (types, strategy) => {
        const { lines } = await started({ strategy, children: workers(types) })
        expect(lines()).toEqual(types.map((_, index) => `+${ids[index]}1`))
      },
    ))

  it('property 2, live: a start failure at i stops exactly i-1 … 1, in reverse, and fails the supervisor', () =>
    check<[number, number]>(fc.integer({ min: 1, max: 5 }), fc.nat(4), async (count, at) => {
      const failing = at % count
      const children = ids.slice(0, count).map((id, index) => ({ id, logic: index === failing ? stillborn : worker }))
      const { sup, lines } = stage({ children })
      await expect(sup.start()).rejects.toMatchObject({ code: 'start_failed' })
      const before = ids.slice(0, failing)
      expect(lines()).toEqual([
        ...before.map(id => `+${id}1`),
        ...[...before].reverse().map(id => `-${id}1 shutdown`),
        'stopped start-failed',
      ])
    }))

  it('property 3, live: invalid or duplicate specs are refused before any side effect', () =>
    check<[string, boolean]>(fc.constantFrom(...ids), fc.boolean(), async (id, isDuplicate) => {
      let calls = 0
      const logic = () => {
        calls++
        return worker
      }
      const broken = isDuplicate ? { id, logic } : { id: 'other', logic, restart: 'sometimes' as never }
      expect(() => stage({ children: [{ id, logic }, broken] })).toThrow()
      const { sup, forget, lines } = await started({ children: [{ id, logic }] })
      forget()
      await expect(sup.startChild(broken)).rejects.toThrow()
      expect({ calls, lines: lines() }).toEqual({ calls: 1, lines: [] })
    }))

  it('property 5, live: a child that declines to start keeps its spec unless temporary', () =>
    check<[('permanent' | 'transient' | 'temporary')[]]>(kinds, async types => {
      const children = workers(types).map(child => ({ ...child, logic: () => 'ignore' as const }))
      const { sup } = await started({ children })
      const kept = children.filter(child => child.restart !== 'temporary').map(child => child.id)
      expect(sup.whichChildren().map(child => child.id)).toEqual(kept)
      expect(sup.countChildren().active).toBe(0)
    }))

  it('property 6, live: adding an id that exists never makes a second instance', () =>
    check<[Population]>(populations, async ({ maxChildren, commands }) => {
      await populated({ maxChildren, commands }, async ({ sup }, id) => {
        const known = sup.whichChildren().find(child => child.id === id)
        if (!known) return
        const code = known.status === 'running' ? 'already_started' : 'already_present'
        await expect(sup.startChild({ id, logic: worker })).rejects.toMatchObject({ code })
        const after = sup.whichChildren()
        expect(after.filter(child => child.id === id)).toEqual([known])
      })
    }))

  it('property 7, live: at most one live incarnation an id, always', () =>
    check<[Population]>(populations, async population => {
      const { events, clock } = await populated(population, async () => {})
      checkIncarnations(events)
      expect(clock.pending).toBe(0)
    }))

  it('property 8, live: children never exceed the maximum, restarting ones counted', () =>
    check<[Population]>(populations, async population => {
      await populated(population, async ({ sup }) => {
        expect(sup.whichChildren().length).toBeLessThanOrEqual(population.maxChildren)
        if (sup.countChildren().specs < population.maxChildren) return
        await expect(sup.startChild({ id: 'one-too-many', logic: worker })).rejects.toMatchObject({
          code: 'max_children',
        })
      })
    }))

  it('property 10, live: a temporary child is never restarted, not even by a group strategy', () =>
    check<[Strategy, Restart[], number]>(strategies, kinds, fc.nat(4), async (strategy, types, pick) => {
      const { events, after } = await failedOnce(strategy, types, pick)
      const temporary = new Set(types.flatMap((type, n) => (type === 'temporary' ? [ids[n] as string] : [])))
      const startedAgain = events.filter(event => event.type === 'child.started' && event.incarnation > 1)
      expect(startedAgain.filter(event => 'id' in event && temporary.has(event.id))).toEqual([])
      expect([...after.keys()].filter(id => temporary.has(id) && after.get(id) !== 1)).toEqual([])
    }))

  it('property 11, live: one-for-one leaves the incarnations of the siblings alone', () =>
    check<[Restart[], number]>(kinds, fc.nat(4), async (types, pick) => {
      const { failed, after } = await failedOnce('one-for-one', types, pick)
      const siblings = ids.slice(0, types.length).filter((_, n) => n !== failed)
      expect(siblings.map(id => after.get(id))).toEqual(siblings.map(() => 1))
    }))

  it('property 12, live: one-for-all changes all non-temporary incarnations', () =>
    check<[Restart[], number]>(kinds, fc.nat(4), async (types, pick) => {
      const { failed, after } = await failedOnce('one-for-all', types, pick)
      const expected = types.map((type, n) => {
        if (types[failed] === 'temporary') return n === failed ? undefined : 1
        return type === 'temporary' ? undefined : 2
      })
      expect(types.map((_, n) => after.get(ids[n] as string))).toEqual(expected)
    }))

  it('property 13, live: rest-for-one changes exactly those at or after the failed index', () =>
    check<[Restart[], number]>(kinds, fc.nat(4), async (types, pick) => {
      const { failed, after } = await failedOnce('rest-for-one', types, pick)
      const expected = types.map((type, n) => {
        if (types[failed] === 'temporary') return n === failed ? undefined : 1
        if (n < failed) return 1
        return type === 'temporary' ? undefined : 2
      })
      expect(types.map((_, n) => after.get(ids[n] as string))).toEqual(expected)
    }))

  it('property 14, live: a group stops in reverse order and starts forward', () =>
    check<['one-for-all' | 'rest-for-one', number, number]>(
      groupStrategies,
      fc.integer({ min: 1, max: 5 }),
      fc.nat(4),
      async (strategy, count, pick) => {
        const all = ids.slice(0, count)
        const { failed, lines } = await failedOnce(
          strategy,
          all.map(() => 'permanent'),
          pick,
        )
        const group = strategy === 'one-for-all' ? all : all.slice(failed)
        expect(lines).toEqual([
          `-${all[failed]}1 abnormal`,
          `!${all[failed]} [${group.join(' ')}]`,
          ...[...group]
            .reverse()
            .filter(id => id !== all[failed])
            .map(id => `-${id}1 shutdown`),
          ...group.map(id => `+${id}2`),
        ])
      },
    ))

  it('property 15, live: a group restart costs one unit', () =>
    check<['one-for-all' | 'rest-for-one', Restart[], number[]]>(
      groupStrategies,
      kinds,
      fc.array(fc.nat(4), { maxLength: 6 }),
      async (strategy, types, picks) => {
        const { sup, clock, events } = await started({ strategy, intensity: 100, children: workers(types) })
        for (const pick of picks) {
          const alive = sup.whichChildren()
          const failed = alive[pick % Math.max(1, alive.length)]
          if (failed) fail(sup, failed.id)
          await clock.advance(0)
        }
        const counted = events.flatMap(event => (event.type === 'restart.decided' ? [event.counters.restarts] : []))
        expect(counted).toEqual(counted.map((_, n) => n + 1))
        const failures = events.filter(event => event.type === 'child.exited' && event.reason === 'abnormal')
        const wanted = failures.filter(event => types[ids.indexOf((event as { id: string }).id)] !== 'temporary')
        expect(counted).toHaveLength(wanted.length)
      },
    ))

  it('property 16, live: a start failure within a group converges or escalates, and a half-started group never stays', () =>
    check<['one-for-all' | 'rest-for-one', number, boolean[][]]>(
      fc.constantFrom('one-for-all' as const, 'rest-for-one' as const),
      fc.integer({ min: 0, max: 4 }),
      fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 }),
      async (strategy, intensity, plans) => {
        const children = plans.map((plan, index) => {
          let attempts = -1
          return {
            id: ids[index] as string,
            logic: () => (attempts++ >= 0 && plan[attempts % plan.length] ? stillborn : worker),
          }
        })
        const { sup, clock, events } = await started({ strategy, intensity, children })
        fail(sup, 'a')
        await clock.advance(0)
        const end = await Promise.race([sup.stopped, clock.advance(0)])
        const active = sup.countChildren().active
        expect(active).toBe(end ? 0 : plans.length)
        checkIncarnations(events)
      },
    ))

  it('property 17, live: an administrative terminate is no failure and costs nothing', () =>
    check<['one-for-one' | 'one-for-all' | 'rest-for-one', string[]]>(
      strategies,
      fc.array(fc.constantFrom(...ids), { maxLength: 10 }),
      async (strategy, victims) => {
        const { sup, events } = await started({ strategy, intensity: 0, children: workers(ids.map(() => 'permanent')) })
        for (const id of victims) {
          await sup.terminateChild(id)
          await sup.restartChild(id)
        }
        expect(sup.countChildren().active).toBe(ids.length)
        expect(events.some(event => event.type === 'restart.decided' || event.type === 'escalated')).toBe(false)
      },
    ))

  it('keep the restarts of a tree within one period within its static bound', () =>
    check<[number, number, number[]]>(
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
      fc.array(fc.nat(1), { minLength: 40, maxLength: 40 }),
      async (outer, inner, picks) => {
        const nested = { intensity: inner, children: [{ id: 'x', logic: worker }] }
        const { sup, clock, events } = await started({
          intensity: outer,
          children: [
            { id: 'n', logic: nested },
            { id: 'a', logic: worker },
          ],
        })
        for (const which of picks) {
          if (sup.countChildren().active === 0) break
          fail(sup, which === 0 ? 'n/x' : 'a')
          await clock.advance(0)
        }
        const bound = outer + (outer + 1) * inner
        expect(events.filter(event => event.type === 'restart.decided').length).toBeLessThanOrEqual(bound)
      },
    ))

  it('property 31, live: a stop during backoff cancels it, and no start comes later', () =>
    check<[('permanent' | 'transient')[], number]>(
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
    check<[number, number]>(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }), async (depth, width) => {
      const { events } = await gaveUp(depth, width)
      const alive = new Set<string>()
      for (const event of events) {
        if (event.type === 'child.started') alive.add(event.id)
        if (event.type !== 'child.exited') continue
        alive.delete(event.id)
        expect([...alive].filter(id => id.startsWith(`${event.id}/`))).toEqual([])
      }
      expect([...alive]).toEqual([])
    }))

  it('property 34, live: escalation reaches the root in at most depth steps and keeps the cause chain', () =>
    check<[number, number]>(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 3 }), async (depth, width) => {
      const { events, end } = await gaveUp(depth, width)
      expect(events.filter(event => event.type === 'escalated')).toHaveLength(depth)
      const chain: unknown[] = []
      for (let at: unknown = end.cause; at instanceof Error; at = at.cause) chain.push(at)
      expect(chain).toHaveLength(depth + 1)
      expect(chain.at(-1)).toBeInstanceOf(Crash)
    }))

  it('property 35, live: exceeded at the root is a defined end, never an uncaught exception', () =>
    check<[number, number]>(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), async (depth, width) => {
      const uncaught: unknown[] = []
      const note = (error: unknown): void => void uncaught.push(error)
      process.on('uncaughtException', note).on('unhandledRejection', note)
      const { sup, end, clock } = await gaveUp(depth, width)
      await clock.advance('1h')
      process.off('uncaughtException', note).off('unhandledRejection', note)
      expect(uncaught).toEqual([])
      expect(end).toMatchObject({ reason: 'intensity', cause: { code: 'restart_intensity' } })
      expect(sup.countChildren().active).toBe(0)
      await expect(sup.startChild({ id: 'late', logic: worker })).rejects.toMatchObject({ code: 'supervisor_stopped' })
    }))

  it('property 36, live: stop is strictly reverse', () =>
    check<[Times]>(times, async list => {
      const { events } = await stopped(list, [])
      const order = events.flatMap(event => (event.type === 'child.exited' ? [event.id] : []))
      expect(order).toEqual(ids.slice(0, list.length).reverse())
    }))

  it('property 37, live: each stop takes at most its timeout and is then forced, the total at most the sum', () =>
    check<[Times]>(times, async list => {
      const { lines, tookMs, clock } = await stopped(list, [])
      for (const [index, { takesMs, allowedMs }] of list.entries()) {
        if (takesMs === allowedMs) continue
        expect(lines()).toContain(`-${ids[index]}1 ${takesMs < allowedMs ? 'shutdown' : 'killed'}`)
      }
      expect(tookMs).toBe(list.reduce((sum, { takesMs, allowedMs }) => sum + Math.min(takesMs, allowedMs), 0))
      expect(clock.pending).toBe(0)
    }))

  it('property 38, live: stop is idempotent and ends even when children die meanwhile, for any reason', () =>
    check<[Times, [number, 'fail' | 'finish' | 'stop'][]]>(
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
    check<[number, number]>(fc.integer({ min: 65, max: 200 }), fc.integer({ min: 1, max: 4 }), async (count, ticks) => {
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
    }))

  it('property 39, live: after stop there is no live actor, timer or subscription', () =>
    check<[Population]>(populations, async population => {
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

  it('property 43, live: each accepted event is processed once, stashed, or dead-lettered, and the counts balance', () =>
    check<[MailStep[]]>(mailSteps, async list => {
      const { seen, dead, sent, counts, sup } = await mailed(list)
      for (const { accepted, processed, stashed, deadLettered } of counts) {
        expect(accepted).toBe(processed + stashed + deadLettered)
      }
      expect(sup.mailCounts().stashed).toBe(0)
      expect([...seen, ...dead].sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, index) => index))
    }))

  it('property 44, live: order per sender survives a restart', () =>
    check<[MailStep[]]>(mailSteps, async list => {
      const { seen } = await mailed(list)
      expect(seen).toEqual([...seen].sort((a, b) => a - b))
    }))

  it('property 45, live: the stash is bounded and its overflow policy is kept', () =>
    check<[number]>(fc.integer({ min: 995, max: 1010 }), async count => {
      const { seen, dead } = await mailed([
        'fail',
        ...Array.from({ length: count }, () => 'send' as const),
        'advance',
        'advance',
      ])
      expect(seen).toEqual(Array.from({ length: Math.min(count, 1000) }, (_, n) => n))
      expect(dead).toEqual(Array.from({ length: Math.max(0, count - 1000) }, (_, n) => 1000 + n))
    }))

  it('property 48, live: a ref stays valid over a restart, and messages of an old incarnation are refused', () =>
    check<[MailStep[]]>(mailSteps, async list => {
      const { seenBy, ref, sup } = await mailed(list)
      for (const { incarnation, current } of seenBy) expect(incarnation).toBe(current)
      expect(ref.incarnation).toBe(sup.whichChildren()[0]?.incarnation)
    }))

  it('property 46, live: a poison event is not delivered again', () =>
    check<[number]>(fc.integer({ min: 1, max: 5 }), async poison => {
      const { sup, clock } = await started({ intensity: 10, children: [{ id: 'a', logic: worker }] })
      for (let n = 0; n < poison; n++) fail(sup, 'a')
      await clock.advance(0)
      expect(sup.child('a').incarnation).toBe(poison + 1)
      expect(sup.mailCounts()).toEqual({ accepted: poison, processed: poison, stashed: 0, deadLettered: 0 })
    }))
})
