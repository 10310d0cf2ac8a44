import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { createMachine } from 'xstate'
import type { ChildSpec, SupervisorEvent } from '../../../src/supervisor.ts'
import {
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

vi.setConfig({ testTimeout: propertyTimeoutMs })

describe('live supervisors', () => {
  it('property 1: children start in spec order', () =>
    check<[('permanent' | 'transient' | 'temporary')[], 'one-for-one' | 'one-for-all' | 'rest-for-one']>(
      kinds,
      strategies,
      async (types, strategy) => {
        const { lines } = await started({ strategy, children: workers(types) })
        expect(lines()).toEqual(types.map((_, index) => `+${ids[index]}1`))
      },
    ))

  it('property 2: a start failure at i stops exactly i-1 … 1 in reverse and fails the supervisor', () =>
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

  it('property 3: a duplicate or invalid spec is refused before any side effect', () =>
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

  it('property 5: a child that declines keeps its spec unless temporary', () =>
    check<[('permanent' | 'transient' | 'temporary')[]]>(kinds, async types => {
      const children = workers(types).map(child => ({ ...child, logic: () => 'ignore' as const }))
      const { sup } = await started({ children })
      const kept = children.filter(child => child.restart !== 'temporary').map(child => child.id)
      expect(sup.whichChildren().map(child => child.id)).toEqual(kept)
      expect(sup.countChildren().active).toBe(0)
    }))

  it('properties 6, 7, 8: one live incarnation an id and never more children than allowed', () =>
    check<[number, ['add' | 'fail' | 'finish' | 'terminate' | 'restart' | 'advance', string][]]>(
      fc.integer({ min: 1, max: 4 }),
      fc.array(
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
      async (maxChildren, commands) => {
        const staged = await started({ maxChildren, intensity: 100, backoff: { kind: 'fixed', base: 10 } })
        const { sup, clock, events } = staged
        const ignore = (): void => {}
        for (const [command, id] of commands) {
          if (command === 'add') await sup.startChild({ id, logic: worker, restart: 'transient' }).catch(ignore)
          else if (command === 'terminate') await sup.terminateChild(id).catch(ignore)
          else if (command === 'restart') await sup.restartChild(id).catch(ignore)
          else if (command === 'advance') await clock.advance(5)
          else if (sup.whichChildren().some(child => child.id === id && child.status === 'running')) {
            sup.child(id).send({ type: command === 'fail' ? 'FAIL' : 'FINISH' })
          }
          expect(sup.whichChildren().length).toBeLessThanOrEqual(maxChildren)
        }
        await sup.stop()
        checkIncarnations(events)
        expect(clock.pending).toBe(0)
      },
    ))

  it('properties 10, 11, 12, 13: exactly the incarnations of the group change, temporary ones go', () =>
    check<['one-for-one' | 'one-for-all' | 'rest-for-one', ('permanent' | 'transient' | 'temporary')[], number]>(
      strategies,
      kinds,
      fc.nat(4),
      async (strategy, types, pick) => {
        const staged = await started({ strategy, children: workers(types) })
        const failed = pick % types.length
        fail(staged.sup, ids[failed] as string)
        await staged.clock.advance(0)
        const expected = new Map<string, number>()
        types.forEach((type, index) => {
          const isIncluded =
            strategy === 'one-for-all' || index === failed || (strategy === 'rest-for-one' && index > failed)
          const isRestarted = isIncluded && types[failed] !== 'temporary'
          if (type === 'temporary' && (isRestarted || index === failed)) return
          expected.set(ids[index] as string, isRestarted ? 2 : 1)
        })
        expect(incarnations(staged)).toEqual(expected)
      },
    ))

  it('properties 14, 15: a group stops in reverse order, starts forward, and costs one unit', () =>
    check<['one-for-all' | 'rest-for-one', number, number]>(
      fc.constantFrom('one-for-all' as const, 'rest-for-one' as const),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(4),
      async (strategy, count, pick) => {
        const all = ids.slice(0, count)
        const { sup, clock, lines, events, forget } = await started({
          strategy,
          children: all.map(id => ({ id, logic: worker })),
        })
        forget()
        const failed = pick % count
        fail(sup, ids[failed] as string)
        await clock.advance(0)
        const group = strategy === 'one-for-all' ? all : all.slice(failed)
        expect(lines()).toEqual([
          `-${all[failed]}1 abnormal`,
          `!${all[failed]} [${group.join(' ')}]`,
          ...[...group]
            .reverse()
            .filter(id => id !== all[failed])
            .map(id => `-${id}1 shutdown`),
          ...group.map(id => `+${id}2`),
        ])
        const decided = events.filter(event => event.type === 'restart.decided')
        expect(decided.map(event => event.counters.restarts)).toEqual([1])
      },
    ))

  it('property 16: start failures within a group converge or escalate; a half-started group never stays', () =>
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

  it('property 17: an administrative terminate is no failure and costs nothing', () =>
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

  it('property 26: the restarts of a tree within one period stay within its static bound', () =>
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

  it('property 31: a stop during backoff cancels every start that was to come', () =>
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

  it('properties 33, 34, 35: a tree gives up from below, children first, and keeps the chain of causes', () =>
    check<[number]>(fc.integer({ min: 1, max: 6 }), async depth => {
      let logic: ChildSpec['logic'] = worker
      for (let level = 1; level < depth; level++) logic = { intensity: 0, children: [{ id: 'n', logic }] }
      const { sup, clock, events } = await started({ intensity: 0, children: [{ id: 'n', logic }] })
      fail(sup, Array.from({ length: depth }, () => 'n').join('/'))
      await clock.advance(0)
      const exited = events.filter(event => event.type === 'child.exited').map(event => event.id.split('/').length)
      expect(exited).toEqual(Array.from({ length: depth }, (_, level) => depth - level))
      expect(events.filter(event => event.type === 'escalated')).toHaveLength(depth)
      let links = 0
      for (let at: unknown = (await sup.stopped).cause; at instanceof Error; at = at.cause) links++
      expect(links).toBe(depth + 1)
    }))

  it('properties 36, 37, 38: a stop is strictly reverse, each within its time, and ends also when children die', () =>
    check<[{ takesMs: number; allowedMs: number }[], [number, string][]]>(
      fc.array(fc.record({ takesMs: fc.nat(300), allowedMs: fc.nat(300) }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(100), fc.constantFrom('fail', 'finish')), { maxLength: 3 }),
      async (times, deaths) => {
        const children: ChildSpec[] = times.map(({ takesMs, allowedMs }, index) => ({
          id: ids[index] as string,
          logic: slow(takesMs),
          shutdown: allowedMs,
        }))
        children.splice(1, 0, { id: 'w', logic: worker })
        const { sup, clock, lines, forget, events } = await started({ children })
        forget()
        const stopping = sup.stop()
        for (const [ms, how] of deaths) {
          await clock.advance(ms)
          if (how === 'fail') fail(sup, 'w')
          else finish(sup, 'w')
        }
        await clock.advance(times.reduce((sum, { takesMs, allowedMs }) => sum + Math.min(takesMs, allowedMs), 0))
        await stopping
        const order = events.flatMap(event => (event.type === 'child.exited' && event.id !== 'w' ? [event.id] : []))
        expect(order).toEqual(ids.slice(0, times.length).reverse())
        for (const [index, { takesMs, allowedMs }] of times.entries()) {
          if (takesMs === allowedMs) continue
          expect(lines()).toContain(`-${ids[index]}1 ${takesMs < allowedMs ? 'shutdown' : 'killed'}`)
        }
        expect(clock.pending).toBe(0)
      },
    ))

  it('properties 43, 44, 45, 48: mail is processed once, stashed or a dead letter, in order, over restarts', () =>
    check<[('send' | 'fail' | 'advance' | 'terminate' | 'restart')[]]>(
      fc.array(
        fc.constantFrom(
          'send' as const,
          'send' as const,
          'send' as const,
          'fail' as const,
          'advance' as const,
          'terminate' as const,
          'restart' as const,
        ),
        { maxLength: 40 },
      ),
      async commands => {
        const seen: number[] = []
        const logic = worker.provide({
          actions: {
            note: ({ event }) => {
              if (event.type === 'NOTE') seen.push(event.what as number)
            },
          },
        })
        const { sup, clock, events } = await started({
          intensity: 100,
          backoff: { kind: 'fixed', base: 10 },
          children: [{ id: 'a', logic }],
        })
        const ref = sup.child('a')
        let sent = 0
        for (const command of commands) {
          if (command === 'send') ref.send({ type: 'NOTE', what: sent++ })
          else if (command === 'fail') ref.send({ type: 'FAIL' })
          else if (command === 'advance') await clock.advance(6)
          else await sup[`${command}Child`]('a').catch(() => {})
          const { accepted, processed, stashed, deadLettered } = sup.mailCounts()
          expect(accepted).toBe(processed + stashed + deadLettered)
        }
        await sup.stop()
        expect(sup.mailCounts().stashed).toBe(0)
        const dead = events.flatMap(event =>
          event.type === 'dead-letter' && event.event.type === 'NOTE'
            ? [(event.event as unknown as { what: number }).what]
            : [],
        )
        expect(seen).toEqual([...seen].sort((a, b) => a - b))
        expect([...seen, ...dead].sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, index) => index))
      },
    ))

  it('property 46: an event that fails a child is delivered once', () =>
    check<[number]>(fc.integer({ min: 1, max: 5 }), async poison => {
      const { sup, clock } = await started({ intensity: 10, children: [{ id: 'a', logic: worker }] })
      for (let n = 0; n < poison; n++) fail(sup, 'a')
      await clock.advance(0)
      expect(sup.child('a').incarnation).toBe(poison + 1)
      expect(sup.mailCounts()).toEqual({ accepted: poison, processed: poison, stashed: 0, deadLettered: 0 })
    }))
})
