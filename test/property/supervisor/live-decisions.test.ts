import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { ChildSpec, RestartBackoff, SupervisorSpec } from '../../../src/supervisor.ts'
import { createSupervisor, explainDecision, replayDecision, restartBound } from '../../../src/supervisor.ts'
import { nestedScenarios } from '../../support/otp-arbitraries.ts'
import { type Command, runLive, type TreeSpec } from '../../support/otp-scenario.ts'
import { fail, finish, propertyRuns, propertyTimeoutMs, started, worker } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const check = <T extends [unknown, ...unknown[]]>(
  ...args: [...{ [K in keyof T]: fc.Arbitrary<T[K]> }, (...values: T) => Promise<void>]
): Promise<void> =>
  fc.assert(fc.asyncProperty(...(args as unknown as [fc.Arbitrary<unknown>, () => Promise<void>])), {
    numRuns: propertyRuns,
  })

type Restart = 'permanent' | 'transient' | 'temporary'
const restarts = fc.constantFrom<Restart>('permanent', 'transient', 'temporary')
const endings = fc.constantFrom('fail' as const, 'finish' as const)
const end = { fail, finish }

const backoffs: fc.Arbitrary<RestartBackoff & { base: number; max: number }> = fc
  .record({
    kind: fc.constantFrom('exponential' as const, 'linear' as const, 'fixed' as const, 'decorrelated' as const),
    base: fc.integer({ min: 1, max: 50 }),
    span: fc.integer({ min: 0, max: 500 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ span, ...rest }) => ({ ...rest, max: rest.base + span, resetAfter: 100_000 }))

/** How long the child was away after each of so many failures, ms. */
async function delaysOf(spec: SupervisorSpec, failures: number, units: () => number): Promise<number[]> {
  const { sup, clock, events } = await started({
    intensity: 1000,
    ...spec,
    random: units,
    children: [{ id: 'a', logic: worker }],
  })
  const delays: number[] = []
  for (let n = 0; n < failures; n++) {
    const failedAt = clock.now()
    fail(sup, 'a')
    while (sup.whichChildren()[0]?.status !== 'running') await clock.advance(1)
    delays.push(clock.now() - failedAt)
  }
  expect(events.filter(event => event.type === 'restart.decided')).toHaveLength(failures)
  return delays
}

/** A child that fails after these gaps, and whose restarts may fail to start. */
interface Life {
  readonly intensity: number
  readonly periodMs: number
  readonly gaps: readonly number[]
  readonly failsAtStart: readonly boolean[]
}

const lives: fc.Arbitrary<Life> = fc.record({
  intensity: fc.integer({ min: 0, max: 4 }),
  periodMs: fc.integer({ min: 1, max: 30 }),
  gaps: fc.array(fc.integer({ min: 0, max: 31 }), { maxLength: 25 }),
  failsAtStart: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
})

/** What was decided at each failure, how many restarts counted then, and how many the supervisor remembered. */
async function judgedIn({ intensity, periodMs, gaps, failsAtStart }: Life) {
  let attempts = 0
  const logic = () => {
    if (attempts++ > 0 && failsAtStart[attempts % failsAtStart.length]) throw new Error('fails at start')
    return worker
  }
  const { sup, clock, events } = await started({ intensity, period: periodMs, children: [{ id: 'a', logic }] })
  const times: number[] = []
  const judged: { type: string; rule: string; counters: { restarts: number }; counted: number; window: number }[] = []
  for (const gap of gaps) {
    await clock.advance(gap)
    if (sup.whichChildren()[0]?.status !== 'running') break
    const from = events.length
    fail(sup, 'a')
    await clock.advance(0)
    for (const event of events.slice(from)) {
      if (event.type !== 'restart.decided' && event.type !== 'escalated') continue
      const counted = times.filter(at => clock.now() - at <= periodMs).length
      const window = sup.decisions().at(-1)?.before.window.chunks.flat().length ?? 0
      judged.push({ type: event.type, rule: event.rule, counters: event.counters, counted, window })
      times.push(clock.now())
    }
  }
  return judged
}

describe('live supervisors decide', () => {
  it('property 4, live: every default is total and can be read back', () =>
    check<[Partial<Record<keyof SupervisorSpec, true>>, Partial<Record<keyof ChildSpec, true>>]>(
      fc.record(
        {
          strategy: fc.constant(true as const),
          intensity: fc.constant(true as const),
          period: fc.constant(true as const),
          backoff: fc.constant(true as const),
        },
        { requiredKeys: [] },
      ),
      fc.record(
        { restart: fc.constant(true as const), shutdown: fc.constant(true as const), type: fc.constant(true as const) },
        { requiredKeys: [] },
      ),
      async (given, givenToChild) => {
        const all = { strategy: 'rest-for-one', intensity: 7, period: '1s', backoff: { kind: 'fixed' } } as const
        const ofChild = { restart: 'transient', shutdown: 'infinity', type: 'supervisor' } as const
        const some = <T extends object>(values: T, keys: object): Partial<T> =>
          Object.fromEntries(
            Object.entries(values).map(([key, value]) => [key, key in keys ? value : undefined]),
          ) as never
        const sup = createSupervisor({
          ...some(all, given),
          children: [{ id: 'a', logic: worker, ...some(ofChild, givenToChild) }],
        })
        const resolved = {
          strategy: all.strategy,
          intensity: 7,
          periodMs: 1000,
          backoff: { kind: 'fixed', base: 100, max: 10_000, jitter: 0, resetAfterMs: 10_000 },
        }
        expect(sup.options).toMatchObject({
          strategy: given.strategy ? resolved.strategy : 'one-for-one',
          intensity: given.intensity ? 7 : 3,
          periodMs: given.period ? 1000 : 5000,
          backoff: given.backoff ? resolved.backoff : null,
          autoShutdown: 'never',
          maxChildren: Number.POSITIVE_INFINITY,
        })
        const type = givenToChild.type ? 'supervisor' : 'worker'
        expect(sup.childSpec('a')).toMatchObject({
          restart: givenToChild.restart ? 'transient' : 'permanent',
          shutdown: givenToChild.shutdown || type === 'supervisor' ? 'infinity' : 5000,
          significant: false,
          type,
        })
      },
    ))

  it('property 9, live: a child is restarted iff permanent, or transient and abnormal', () =>
    check<[Restart, 'fail' | 'finish']>(restarts, endings, async (restart, how) => {
      const { sup, clock } = await started({ children: [{ id: 'a', logic: worker, restart }] })
      const ref = sup.child('a')
      end[how](sup, 'a')
      await clock.advance(0)
      const isWanted = restart === 'permanent' || (restart === 'transient' && how === 'fail')
      expect(ref.incarnation).toBe(isWanted ? 2 : 1)
    }))

  it('property 18, live: equal state, event and seed give equal decisions', () =>
    check<[RestartBackoff, ['fail' | 'finish', string, number][]]>(
      backoffs,
      fc.array(fc.tuple(endings, fc.constantFrom('a', 'b', 'c'), fc.nat(200)), { maxLength: 12 }),
      async (backoff, steps) => {
        const run = async () => {
          let drawn = 0
          const { sup, clock, events } = await started({
            strategy: 'rest-for-one',
            backoff,
            random: () => (drawn++ % 10) / 10,
            children: ['a', 'b', 'c'].map(id => ({ id, logic: worker })),
          })
          for (const [how, id, ms] of steps) {
            if (sup.whichChildren().some(child => child.id === id && child.status === 'running')) end[how](sup, id)
            await clock.advance(ms)
          }
          await sup.stop()
          return { events, decisions: sup.decisions() }
        }
        const [one, other] = [await run(), await run()]
        expect(one.events).toEqual(other.events)
        expect(one.decisions).toEqual(other.decisions)
        for (const record of JSON.parse(JSON.stringify(one.decisions)) as typeof one.decisions) {
          expect(replayDecision(record)).toEqual(record.decision)
          const { text, alternatives } = explainDecision(record)
          expect(text).toContain(`'${record.fact.id}'`)
          expect(alternatives.map(({ outcome }) => outcome)).not.toContain(record.decision.kind)
          expect(alternatives).toHaveLength(3)
        }
      },
    ))

  it('property 19, live: with limit N exactly N restarts pass in any window, and one more escalates', () =>
    check<[Life]>(lives, async life => {
      for (const { type, counters, counted } of await judgedIn(life)) {
        expect(type).toBe(counted < life.intensity ? 'restart.decided' : 'escalated')
        expect(counters.restarts).toBe(counted + 1)
      }
    }))

  it('property 20, live: at an age of exactly the period a restart still counts, to the millisecond', () =>
    check<[number, number]>(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(-1, 0, 1), async (periodMs, off) => {
      const life = { intensity: 1, periodMs, gaps: [0, periodMs + off], failsAtStart: [false] }
      expect((await judgedIn(life)).map(({ type }) => type)).toEqual([
        'restart.decided',
        off === 1 ? 'restart.decided' : 'escalated',
      ])
    }))

  it('property 21, live: limit 0 escalates on the first failure', () =>
    check<[Life]>(lives, async life => {
      const judged = await judgedIn({ ...life, intensity: 0, gaps: [0, ...life.gaps] })
      expect(judged.map(({ type }) => type)).toEqual(['escalated'])
    }))

  it('property 23, live: failed start attempts count', () =>
    check<[number]>(fc.integer({ min: 0, max: 6 }), async intensity => {
      const judged = await judgedIn({ intensity, periodMs: 1000, gaps: [0], failsAtStart: [true] })
      expect(judged.map(({ type }) => type)).toEqual([...Array(intensity).fill('restart.decided'), 'escalated'])
      expect(judged.map(({ rule }) => rule).slice(1, -1)).toEqual(
        Array(Math.max(0, intensity - 1)).fill('start-failed'),
      )
    }))

  it('property 24, live: the window keeps at most N + 1 entries', () =>
    check<[Life]>(lives, async life => {
      for (const { window } of await judgedIn(life)) expect(window).toBeLessThanOrEqual(life.intensity + 1)
    }))

  it('property 22, live: a clock that steps back neither frees nor loses units', () =>
    check<[number, number[]]>(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: -100_000, max: 0 }), { minLength: 5, maxLength: 5 }),
      async (intensity, steps) => {
        const { sup, clock, events } = await started({ intensity, children: [] })
        await sup.stop()
        let shift = 0
        const stepping = createSupervisor({
          intensity,
          clock: { ...clock, now: () => clock.now() + shift },
          children: [{ id: 'a', logic: worker }],
          onEvent: event => events.push(event),
        })
        await stepping.start()
        for (const step of steps.slice(0, intensity + 1)) {
          shift += step
          fail(stepping, 'a')
          await clock.advance(0)
        }
        expect(events.filter(event => event.type === 'restart.decided')).toHaveLength(intensity)
        expect((await stepping.stopped).reason).toBe('intensity')
      },
    ))

  it('property 27, live: the delay is within [base, max], jitter included, by one declared formula', () =>
    check<[RestartBackoff & { base: number; max: number }, number[]]>(
      backoffs,
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 5 }),
      async (backoff, units) => {
        let drawn = 0
        for (const delay of await delaysOf({ backoff }, 4, () => units[drawn++ % units.length] as number)) {
          expect(delay).toBeGreaterThanOrEqual(backoff.base)
          expect(delay).toBeLessThanOrEqual(backoff.max)
        }
      },
    ))

  it('property 28, live: the delay is monotone until the cap, without jitter', () =>
    check<[RestartBackoff]>(
      backoffs.filter(({ kind }) => kind !== 'decorrelated'),
      async backoff => {
        const delays = await delaysOf({ backoff: { ...backoff, jitter: 0 } }, 5, () => 0.9)
        expect(delays).toEqual([...delays].sort((a, b) => a - b))
      },
    ))

  it('property 29, live: failures in a row are forgotten only after the declared stability', () =>
    check<[number, number]>(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 60 }),
      async (resetAfter, ranMs) => {
        const backoff = { kind: 'exponential', base: 10, max: 1000, resetAfter } as const
        const { sup, clock } = await started({ backoff, children: [{ id: 'a', logic: worker }] })
        fail(sup, 'a')
        await clock.advance(10)
        await clock.advance(ranMs)
        fail(sup, 'a')
        await clock.advance(10)
        expect(sup.child('a').incarnation).toBe(ranMs >= resetAfter ? 3 : 2)
      },
    ))

  it('property 41, live: auto-shutdown comes iff the significance rule holds, for children that ended by themselves', () =>
    check<['any-significant' | 'all-significant', boolean[], ['fail' | 'finish' | 'terminate', number][]]>(
      fc.constantFrom('any-significant' as const, 'all-significant' as const),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.constantFrom('fail' as const, 'finish' as const, 'terminate' as const), fc.nat(4)), {
        maxLength: 10,
      }),
      async (autoShutdown, significance, steps) => {
        const children = significance.map((significant, n) => ({
          id: `c${n}`,
          logic: worker,
          significant,
          restart: 'temporary' as const,
        }))
        const { sup, clock } = await started({ autoShutdown, children })
        const left = new Set(children)
        let isOver = false
        for (const [how, n] of steps) {
          const child = children[n % children.length] as (typeof children)[number]
          if (isOver || !left.delete(child)) continue
          if (how === 'terminate') await sup.terminateChild(child.id)
          else end[how](sup, child.id)
          await clock.advance(0)
          const isDue = autoShutdown === 'any-significant' || ![...left].some(other => other.significant)
          isOver = how !== 'terminate' && child.significant && isDue
          expect(sup.countChildren().active).toBe(isOver ? 0 : left.size)
        }
        if (isOver) expect((await sup.stopped).reason).toBe('auto-shutdown')
      },
    ))

  it("property 42, live: a bystander's death never triggers auto-shutdown", () =>
    check<['any-significant' | 'all-significant', ['fail' | 'finish' | 'terminate', Restart][]]>(
      fc.constantFrom('any-significant' as const, 'all-significant' as const),
      fc.array(
        fc.tuple(
          fc.constantFrom('fail' as const, 'finish' as const, 'terminate' as const),
          fc.constantFrom<Restart>('transient', 'temporary'),
        ),
        { minLength: 1, maxLength: 6 },
      ),
      async (autoShutdown, deaths) => {
        const { sup, clock, events } = await started({
          autoShutdown,
          intensity: 100,
          children: [
            { id: 'significant', logic: worker, restart: 'transient', significant: true },
            ...deaths.map(([, restart], n) => ({ id: `c${n}`, logic: worker, restart })),
          ],
        })
        for (const [n, [how]] of deaths.entries()) {
          if (how === 'terminate') await sup.terminateChild(`c${n}`)
          else end[how](sup, `c${n}`)
          await clock.advance(0)
        }
        expect(events.filter(({ type }) => type === 'supervisor.stopped')).toEqual([])
        expect(sup.whichChildren()[0]).toMatchObject({ id: 'significant', status: 'running', incarnation: 1 })
      },
    ))

  it('property 26, live: restarts in the whole tree stay within the static bound', () =>
    check<[{ tree: TreeSpec; commands: readonly Command[] }]>(nestedScenarios, async ({ tree, commands }) => {
      const onlyFailures = commands.filter(command => command.kind !== 'call')
      const elapsed = onlyFailures.reduce((sum, command) => sum + (command.kind === 'advance' ? command.ms : 0), 0)
      let decided = 0
      await runLive({ tree, commands: onlyFailures }, event => {
        if (event.type === 'restart.decided') decided++
      })
      expect(decided).toBeLessThanOrEqual(restartBound(specOf(tree), Math.max(1, elapsed)).restarts)
    }))

  it('the static bound is reached where every failure comes', async () => {
    const inner = { intensity: 2, children: [{ id: 'x', logic: worker }] }
    const tree = { intensity: 1, children: [{ id: 'n', logic: inner }] }
    const { sup, clock, events } = await started(tree)
    for (let n = 0; n < 20 && sup.countChildren().active > 0; n++) {
      fail(sup, 'n/x')
      await clock.advance(0)
    }
    const bound = restartBound(tree)
    expect(bound).toEqual({
      withinMs: 5000,
      restarts: 5,
      supervisors: [
        { path: '', incarnations: 1, restarts: 1 },
        { path: 'n', incarnations: 2, restarts: 4 },
      ],
    })
    expect(events.filter(event => event.type === 'restart.decided')).toHaveLength(bound.restarts)
  })
})

function specOf({ periodMs, children, ...rest }: TreeSpec): SupervisorSpec {
  return {
    ...rest,
    period: periodMs,
    children: children.map(({ work, ...child }) => ({
      ...child,
      logic: 'children' in work ? specOf(work) : worker,
    })),
  }
}
