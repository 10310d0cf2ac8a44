import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { checkLive } from '../../support/check-property.ts'
import {
  checkIncarnations,
  ids,
  type Population,
  populated,
  populations,
  type Restart,
  workers,
} from '../../support/supervised-lives.ts'
import {
  fail,
  propertyTimeoutMs,
  type Stage,
  stage,
  started,
  stillborn,
  worker,
} from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const restarts = fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const)
const strategies = fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const)
const groupStrategies = fc.constantFrom('one-for-all' as const, 'rest-for-one' as const)
type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one'
const kinds = fc.array(restarts, { minLength: 1, maxLength: 5 })

const incarnations = ({ sup }: Stage): Map<string, number> =>
  new Map(sup.whichChildren().map(child => [child.id, child.incarnation]))

/** What followed when one of the children failed. */
async function failedOnce(strategy: Strategy, types: readonly Restart[], pick: number) {
  const staged = await started({ strategy, children: workers(types) })
  staged.forget()
  const failed = pick % types.length
  fail(staged.sup, ids[failed] as string)
  await staged.clock.advance(0)
  return { failed, events: staged.events, lines: staged.lines(), after: incarnations(staged) }
}

describe('live supervisors', () => {
  it('property 1, live: children start in spec order', () =>
    checkLive<[('permanent' | 'transient' | 'temporary')[], 'one-for-one' | 'one-for-all' | 'rest-for-one']>(
      kinds,
      strategies,
      async (types, strategy) => {
        const { lines } = await started({ strategy, children: workers(types) })
        expect(lines()).toEqual(types.map((_, index) => `+${ids[index]}1`))
      },
    ))

  it('property 2, live: a start failure at i stops exactly i-1 … 1, in reverse, and fails the supervisor', () =>
    checkLive<[number, number]>(fc.integer({ min: 1, max: 5 }), fc.nat(4), async (count, at) => {
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
    checkLive<[string, boolean]>(fc.constantFrom(...ids), fc.boolean(), async (id, isDuplicate) => {
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
    checkLive<[('permanent' | 'transient' | 'temporary')[]]>(kinds, async types => {
      const children = workers(types).map(child => ({ ...child, logic: () => 'ignore' as const }))
      const { sup } = await started({ children })
      const kept = children.filter(child => child.restart !== 'temporary').map(child => child.id)
      expect(sup.whichChildren().map(child => child.id)).toEqual(kept)
      expect(sup.countChildren().active).toBe(0)
    }))

  it('property 6, live: adding an id that exists never makes a second instance', () =>
    checkLive<[Population]>(populations, async ({ maxChildren, commands }) => {
      await populated({ maxChildren, commands }, async ({ sup }, id) => {
        const known = sup.whichChildren().find(child => child.id === id)
        if (!known) return
        const code = known.status === 'stopped' ? 'already_present' : 'already_started'
        await expect(sup.startChild({ id, logic: worker })).rejects.toMatchObject({ code })
        const after = sup.whichChildren()
        expect(after.filter(child => child.id === id)).toEqual([known])
      })
    }))

  it('property 7, live: at most one live incarnation an id, always', () =>
    checkLive<[Population]>(populations, async population => {
      const { events, clock } = await populated(population, async () => {})
      checkIncarnations(events)
      expect(clock.pending).toBe(0)
    }))

  it('property 8, live: children never exceed the maximum, restarting ones counted', () =>
    checkLive<[Population]>(populations, async population => {
      await populated(population, async ({ sup }) => {
        expect(sup.whichChildren().length).toBeLessThanOrEqual(population.maxChildren)
        if (sup.countChildren().specs < population.maxChildren) return
        await expect(sup.startChild({ id: 'one-too-many', logic: worker })).rejects.toMatchObject({
          code: 'max_children',
        })
      })
    }))

  it('property 10, live: a temporary child is never restarted, not even by a group strategy', () =>
    checkLive<[Strategy, Restart[], number]>(strategies, kinds, fc.nat(4), async (strategy, types, pick) => {
      const { events, after } = await failedOnce(strategy, types, pick)
      const temporary = new Set(types.flatMap((type, n) => (type === 'temporary' ? [ids[n] as string] : [])))
      const startedAgain = events.filter(event => event.type === 'child.started' && event.incarnation > 1)
      expect(startedAgain.filter(event => 'id' in event && temporary.has(event.id))).toEqual([])
      expect([...after.keys()].filter(id => temporary.has(id) && after.get(id) !== 1)).toEqual([])
    }))

  it('property 11, live: one-for-one leaves the incarnations of the siblings alone', () =>
    checkLive<[Restart[], number]>(kinds, fc.nat(4), async (types, pick) => {
      const { failed, after } = await failedOnce('one-for-one', types, pick)
      const siblings = ids.slice(0, types.length).filter((_, n) => n !== failed)
      expect(siblings.map(id => after.get(id))).toEqual(siblings.map(() => 1))
    }))

  it('property 12, live: one-for-all changes all non-temporary incarnations', () =>
    checkLive<[Restart[], number]>(kinds, fc.nat(4), async (types, pick) => {
      const { failed, after } = await failedOnce('one-for-all', types, pick)
      const expected = types.map((type, n) => {
        if (types[failed] === 'temporary') return n === failed ? undefined : 1
        return type === 'temporary' ? undefined : 2
      })
      expect(types.map((_, n) => after.get(ids[n] as string))).toEqual(expected)
    }))

  it('property 13, live: rest-for-one changes exactly those at or after the failed index', () =>
    checkLive<[Restart[], number]>(kinds, fc.nat(4), async (types, pick) => {
      const { failed, after } = await failedOnce('rest-for-one', types, pick)
      const expected = types.map((type, n) => {
        if (types[failed] === 'temporary') return n === failed ? undefined : 1
        if (n < failed) return 1
        return type === 'temporary' ? undefined : 2
      })
      expect(types.map((_, n) => after.get(ids[n] as string))).toEqual(expected)
    }))

  it('property 14, live: a group stops in reverse order and starts forward', () =>
    checkLive<['one-for-all' | 'rest-for-one', number, number]>(
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
    checkLive<['one-for-all' | 'rest-for-one', Restart[], number[]]>(
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
    checkLive<['one-for-all' | 'rest-for-one', number, boolean[][]]>(
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
    checkLive<['one-for-one' | 'one-for-all' | 'rest-for-one', string[]]>(
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
    checkLive<[number, number, number[]]>(
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
})
