import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { EventObject } from 'xstate'
import { type Administered, startChild, terminateChild } from '../../../src/supervisor/administration.ts'
import { Child } from '../../../src/supervisor/child.ts'
import { parseChildSpec, parseSupervisorOptions, type ResolvedChildSpec } from '../../../src/supervisor/child-spec.ts'
import { Children } from '../../../src/supervisor/children.ts'
import type { Incarnation } from '../../../src/supervisor/incarnation.ts'
import { type Judged, Judgement } from '../../../src/supervisor/judgement.ts'
import { Mail } from '../../../src/supervisor/mail.ts'
import { type Addressed, tellFollower } from '../../../src/supervisor/mail-routes.ts'
import { PendingRestarts } from '../../../src/supervisor/pending-restarts.ts'
import { CallQueue, type Procedure } from '../../../src/supervisor/procedure.ts'
import { RestartPacer } from '../../../src/supervisor/restart-pacer.ts'
import { type StoppableSupervisor, stopChild } from '../../../src/supervisor/stop-child.ts'
import { createTree } from '../../../src/supervisor/tree.ts'
import type { ChildEnd } from '../../../src/supervisor/watchers.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { check, checkLive } from '../../support/check-property.ts'
import { ids } from '../../support/pure-arbitraries.ts'
import { propertyTimeoutMs, worker } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

type Nested = StoppableSupervisor & Addressed<Nested>

const specOf = (id: string, options: object = {}): ResolvedChildSpec =>
  parseChildSpec({ id, logic: worker, ...options }, 'all-significant', 'child')
const childOf = (id: string, options: object = {}): Child<Nested> => new Child<Nested>(specOf(id, options))

/** An actor that only notes what it is sent, and dies of `POISON`. */
const noting = (child: Child<Nested>, seen: unknown[]): Incarnation =>
  ({
    send: (event: EventObject) => {
      seen.push('what' in event ? event.what : event.type)
      if (event.type === 'POISON') child.isLive = false
    },
  }) as unknown as Incarnation

type Step = 'note' | 'poison' | 'start' | 'die' | 'discard'
const steps = fc.array(fc.constantFrom<Step>('note', 'note', 'note', 'poison', 'start', 'die', 'discard'), {
  maxLength: 60,
})

/** Mail to one child over a random life: what each incarnation saw, and what became a dead letter. */
function postedTo(list: readonly Step[], afterEach: (mail: Mail) => void = () => {}) {
  const mail = new Mail()
  const child = childOf('a')
  const seen: unknown[] = []
  const dead: unknown[] = []
  const bury = (event: EventObject): void => void dead.push('what' in event ? event.what : event.type)
  let sent = 0
  let poisons = 0
  for (const step of list) {
    if (step === 'note') mail.send(child, { type: 'NOTE', what: sent++ } as EventObject, true, bury)
    else if (step === 'poison')
      mail.send(child, { type: 'POISON', what: `poison ${poisons++}` } as EventObject, true, bury)
    else if (step === 'discard') mail.discard(child, bury)
    else {
      child.isLive = step === 'start'
      child.actor = noting(child, seen)
      if (child.isLive) mail.deliver(child)
    }
    afterEach(mail)
  }
  return { seen, dead, sent, poisons, waiting: child.mail ?? [] }
}

const numbers = (values: readonly unknown[]): number[] => values.filter(value => typeof value === 'number')

function* atOnce<TResult>(run: () => TResult): Procedure<TResult> {
  yield resume => resume()
  return run()
}

/** A supervisor that only keeps records; starting is noted. */
function keeper(maxChildren = Number.POSITIVE_INFINITY) {
  const children = new Children<Nested>()
  const starts: string[] = []
  const supervisor: Administered<Nested> = {
    id: 'pool',
    spec: { ...parseSupervisorOptions({}).spec, maxChildren },
    phase: 'running',
    children,
    add: spec => children.add(spec),
    remove: child => children.delete(child),
    settle: child => {
      child.isLive = false
      child.restart = undefined
    },
    settleOrRemove: child => (child.spec.restart === 'temporary' ? children.delete(child) : supervisor.settle(child)),
    withdrawFromRestart: child => {
      child.restart = undefined
    },
    startOne: child =>
      atOnce(() => {
        starts.push(child.spec.id)
        child.isLive = true
        return undefined
      }),
    stopOne: child =>
      atOnce(() => {
        child.isLive = false
      }),
  }
  return { supervisor, children, starts, calls: new CallQueue() }
}

/** Children of any state: some run, some wait for a restart, some are stopped. */
const population = fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom('running', 'restarting', 'stopped')), {
  maxLength: 5,
})

function populate(children: Children<Nested>, states: readonly [string, string][]): void {
  for (const [id, state] of states) {
    if (children.find(id)) continue
    const child = children.add(specOf(id))
    child.isLive = state === 'running'
    child.restart = state === 'restarting' ? { waiting: 1, plan: undefined } : undefined
  }
}

describe('specs', () => {
  it('property 3, pure: invalid or duplicate specs are refused before any side effect', () => {
    const broken = fc.constantFrom<object>(
      { restart: 'sometimes' },
      { shutdown: 'soon' },
      { id: 'a/b' },
      { id: '' },
      { logic: 42 },
      { significant: true },
      { colour: 'red' },
      { id: 'a' },
      { logic: { intensity: -1 } },
      { logic: { children: [{ id: 'x' }] } },
    )
    check<[object, number]>(broken, fc.nat(3), (flaw, at) => {
      let calls = 0
      const logic = (): unknown => calls++
      const children: object[] = ['a', 'b', 'c'].map(id => ({ id, logic }))
      children.splice(at, 0, { id: 'd', logic, ...flaw })
      expect(() => parseSupervisorOptions({ children })).toThrow(/child|children|supervisor/)
      expect(calls).toBe(0)
    })
  })

  it('property 4, pure: every default is total and can be read back', () => {
    const given = {
      supervisor: { strategy: 'rest-for-one', intensity: 7, autoShutdown: 'any-significant', maxChildren: 9 },
      child: { restart: 'transient', shutdown: 'brutal-kill', significant: true, type: 'supervisor', input: 5 },
    }
    const keysOf = (values: object): fc.Arbitrary<string[]> => fc.subarray(Object.keys(values))
    const some = (values: object, keys: readonly string[]): object =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, keys.includes(key) ? value : undefined]))
    check<[string[], string[]]>(keysOf(given.supervisor), keysOf(given.child), (ofSupervisor, ofChild) => {
      const { spec } = parseSupervisorOptions(some(given.supervisor, ofSupervisor))
      const supervisorDefaults = { strategy: 'one-for-one', intensity: 3, autoShutdown: 'never', maxChildren: Infinity }
      expect(spec).toEqual({
        ...supervisorDefaults,
        ...(JSON.parse(JSON.stringify(some(given.supervisor, ofSupervisor))) as object),
        periodMs: 5000,
        backoff: null,
        children: [],
        onEvent: undefined,
      })
      const isRefused = ofChild.includes('significant') && !ofChild.includes('restart')
      const parse = (): ResolvedChildSpec => specOf('a', some(given.child, ofChild))
      if (isRefused) {
        expect(parse).toThrow('must be')
        return
      }
      const child = parse()
      expect(Object.values({ ...child, input: null }).filter(value => value === undefined)).toEqual([])
      const shutdown = ofChild.includes('type') ? 'infinity' : 5000
      const defaults = { restart: 'permanent', shutdown, significant: false, type: 'worker', input: undefined }
      const { id: _, logic: __, ...read } = child
      expect(read).toEqual({ ...defaults, ...JSON.parse(JSON.stringify(some(given.child, ofChild))) })
    })
  })
})

describe('records and calls', () => {
  it('property 6, pure: adding an id that exists never makes a second instance', () =>
    check<[[string, string][], string]>(population, fc.constantFrom(...ids), (states, id) => {
      const { supervisor, children, starts, calls } = keeper()
      populate(children, states)
      const known = children.find(id)
      let code: string | undefined
      calls.add(startChild(supervisor, specOf(id)), undefined, error => {
        code = (error as { code: string }).code
      })
      expect(children.inOrder().filter(({ spec }) => spec.id === id)).toHaveLength(1)
      expect(code).toBe(known && (known.status === 'stopped' ? 'already_present' : 'already_started'))
      expect(starts).toEqual(known ? [] : [id])
    }))

  it('property 8, pure: children never exceed the maximum, restarting ones counted', () =>
    check<[[string, string][], number, string[]]>(
      population,
      fc.integer({ min: 0, max: 5 }),
      fc.array(fc.constantFrom(...ids), { maxLength: 8 }),
      (states, maxChildren, wanted) => {
        const { supervisor, children, calls } = keeper(maxChildren)
        populate(children, states.slice(0, maxChildren))
        for (const id of wanted) {
          const isNew = children.find(id) === undefined
          const before = children.size
          let code: string | undefined
          calls.add(startChild(supervisor, specOf(id)), undefined, error => {
            code = (error as { code: string }).code
          })
          expect(children.size).toBeLessThanOrEqual(maxChildren)
          if (isNew) expect(code).toBe(before < maxChildren ? undefined : 'max_children')
        }
      },
    ))

  it('property 17, pure: an administrative terminate is no failure and costs nothing', () =>
    check<[[string, string][], string]>(population, fc.constantFrom(...ids), (states, id) => {
      const { supervisor, children, calls } = keeper()
      populate(children, states)
      const before = children.inOrder().map(child => [child.spec.id, child.status, child.failures])
      let code: string | undefined
      calls.add(terminateChild(supervisor, id), undefined, error => {
        code = (error as { code: string }).code
      })
      const isKnown = before.some(([known]) => known === id)
      expect(code).toBe(isKnown ? undefined : 'not_found')
      const after = children.inOrder().map(child => [child.spec.id, child.status, child.failures])
      expect(after).toEqual(
        before.map(([known, status, failures]) => [known, known === id ? 'stopped' : status, failures]),
      )
    }))

  it('property 36, pure: stop is strictly reverse', () =>
    check<[[string, 'add' | 'delete'][]]>(
      fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom('add' as const, 'delete' as const)), {
        maxLength: 20,
      }),
      changes => {
        const children = new Children<Nested>()
        let order: string[] = []
        for (const [id, change] of changes) {
          const known = children.find(id)
          if (change === 'add' && !known) {
            children.add(specOf(id))
            order.push(id)
          } else if (change === 'delete' && known) {
            children.delete(known)
            order = order.filter(other => other !== id)
          }
          expect(children.inReverse().map(({ spec }) => spec.id)).toEqual(order.toReversed())
        }
      },
    ))

  it('property 37, pure: each stop takes at most its timeout and is then forced, the total at most the sum', () =>
    checkLive<[{ takesMs: number; allowedMs: number }[]]>(
      fc.array(fc.record({ takesMs: fc.nat(300), allowedMs: fc.nat(300) }), { minLength: 1, maxLength: 5 }),
      async times => {
        const clock = virtualClock(0)
        const calls = new CallQueue()
        const ends: [string, number][] = []
        const allowance = times.map(({ takesMs, allowedMs }) => Math.min(takesMs, allowedMs))
        times.forEach(({ takesMs, allowedMs }, n) => {
          const child = childOf(ids[n] as string, { shutdown: allowedMs })
          child.isLive = true
          child.actor = {
            handles: () => true,
            stop: () => {},
            send: () => clock.setTimeout(() => child.whenStopped?.({ reason: 'normal' }), takesMs),
          } as unknown as Incarnation
          calls.add(stopChild(child, clock, (_, reason) => ends.push([reason, clock.now()])))
        })
        await clock.advance(allowance.reduce((sum, ms) => sum + ms, 0))
        expect(ends).toHaveLength(times.length)
        let expected = 0
        for (const [n, [reason, at]] of ends.entries()) {
          const { takesMs, allowedMs } = times[n] as (typeof times)[number]
          expected += allowance[n] as number
          expect(at).toBe(expected)
          if (takesMs !== allowedMs) expect(reason).toBe(takesMs < allowedMs ? 'shutdown' : 'killed')
        }
      },
    ))
})

describe('the pace of restarts', () => {
  it('property 32, pure: timers make progress during a restart storm', () =>
    checkLive<[number, number]>(
      fc.integer({ min: 65, max: 400 }),
      fc.integer({ min: 1, max: 6 }),
      async (count, ticks) => {
        const clock = virtualClock(0)
        const pacer = new RestartPacer(clock)
        let restarted = 0
        const seen: number[] = []
        for (let n = 0; n < count; n++) pacer.plan(() => restarted++, 0)
        expect(restarted).toBe(0)
        const tick = (): void => {
          seen.push(restarted)
          if (seen.length < ticks) clock.setTimeout(tick, 0)
        }
        clock.setTimeout(tick, 0)
        await clock.advance(0)
        expect(seen).toHaveLength(ticks)
        for (const [n, done] of seen.entries()) expect(done).toBeLessThanOrEqual(64 * (n + 1))
        expect(restarted).toBe(count)
        expect(clock.pending).toBe(0)
      },
    ))

  it('property 39, pure: after stop there is no live actor, timer or subscription', () =>
    checkLive<[['gather' | 'withdraw' | 'advance', number][]]>(
      fc.array(
        fc.tuple(
          fc.constantFrom('gather' as const, 'gather' as const, 'withdraw' as const, 'advance' as const),
          fc.nat(99),
        ),
        {
          maxLength: 40,
        },
      ),
      async list => {
        const clock = virtualClock(0)
        const pacer = new RestartPacer(clock)
        const restarts = new PendingRestarts(pacer)
        const children = ids.map(id => childOf(id))
        let begun = 0
        for (const [what, n] of list) {
          const members = children.slice(n % ids.length)
          if (what === 'advance') await clock.advance(n)
          else if (what === 'withdraw') restarts.withdraw(members[0] as Child<Nested>)
          else {
            const pending = restarts.gather(members)
            restarts.schedule(pending, n % 3 === 0 ? 0 : n, () => {
              if (restarts.take(pending)) begun++
            })
          }
        }
        restarts.cancelAll()
        pacer.close()
        const before = begun
        expect(clock.pending).toBe(0)
        await clock.advance('1h')
        expect(begun).toBe(before)
      },
    ))
})

describe('mail', () => {
  it('property 43, pure: each accepted event is processed once, stashed, or dead-lettered, and the counts balance', () =>
    check<[Step[]]>(steps, list => {
      const { seen, dead, sent, waiting } = postedTo(list, mail => {
        const { accepted, processed, stashed, deadLettered } = mail.counts()
        expect(accepted).toBe(processed + stashed + deadLettered)
      })
      const left = waiting.map(event => (event as unknown as { what: unknown }).what)
      const all = numbers([...seen, ...dead, ...left]).toSorted((one, other) => one - other)
      expect(all).toEqual(Array.from({ length: sent }, (_, n) => n))
    }))

  it('property 44, pure: order per sender survives a restart', () =>
    check<[Step[]]>(steps, list => {
      const seen = numbers(postedTo(list).seen)
      expect(seen).toEqual(seen.toSorted((one, other) => one - other))
    }))

  it('property 45, pure: the stash is bounded and its overflow policy is kept', () =>
    check<[number]>(fc.integer({ min: 990, max: 1030 }), count => {
      const { dead, waiting } = postedTo(Array.from({ length: count }, () => 'note' as const))
      expect(waiting).toHaveLength(Math.min(count, 1000))
      expect(dead).toEqual(Array.from({ length: Math.max(0, count - 1000) }, (_, n) => 1000 + n))
    }))

  it('property 46, pure: a poison event is not delivered again', () =>
    check<[Step[]]>(steps, list => {
      const { seen, poisons } = postedTo(list)
      const delivered = seen.filter(what => typeof what === 'string')
      expect(new Set(delivered).size).toBe(delivered.length)
      expect(delivered.length).toBeLessThanOrEqual(poisons)
    }))
})

describe('incarnations', () => {
  it('property 47, pure: a watcher gets exactly one end notice, also when it watches late', () =>
    checkLive<[('watch' | 'unwatch' | 'start' | 'end')[]]>(
      fc.array(
        fc.constantFrom('watch' as const, 'watch' as const, 'unwatch' as const, 'start' as const, 'end' as const),
        {
          maxLength: 30,
        },
      ),
      async list => {
        const child = childOf('a')
        const watches: { notices: ChildEnd[]; of: number; cancel: () => void; isCancelled: boolean }[] = []
        const end = (): void => {
          if (!child.isLive) return
          child.isLive = false
          child.noteEnd({ id: 'a', incarnation: child.incarnation, reason: 'normal' })
        }
        for (const what of list) {
          if (what === 'watch') {
            const notices: ChildEnd[] = []
            const cancel = child.watch(notice => notices.push(notice))
            watches.push({ notices, of: child.incarnation, cancel, isCancelled: false })
          } else if (what === 'unwatch') {
            const last = watches.at(-1)
            if (last && last.notices.length === 0) last.isCancelled = true
            last?.cancel()
          } else if (what === 'end') end()
          else if (!child.isLive) {
            child.incarnation++
            child.isLive = true
          }
        }
        end()
        await Promise.resolve()
        await Promise.resolve()
        for (const { notices, of, isCancelled } of watches) {
          expect(notices.map(({ incarnation }) => incarnation)).toEqual(isCancelled ? [] : [of])
        }
      },
    ))

  it('property 48, pure: a ref stays valid over a restart, and messages of an old incarnation are refused', () =>
    check<[number, boolean]>(fc.integer({ min: 1, max: 5 }), fc.boolean(), (restarts, isStale) => {
      const child = childOf('a')
      const seen: unknown[][] = []
      const mail = new Mail()
      for (let n = 0; n <= restarts; n++) {
        seen.push([])
        child.actor = noting(child, seen[n] as unknown[])
        child.isLive = true
        mail.send(child, { type: 'NOTE', what: n } as EventObject, true, () => {})
      }
      expect(seen).toEqual(Array.from({ length: restarts + 1 }, (_, n) => [n]))
      const [old, present] = [{ reason: 'abnormal' as const }, { reason: 'abnormal' as const }]
      child.exit = present
      let judged = 0
      const tree = createTree(virtualClock(0), () => 0)
      const decider = {
        decide: () => {
          judged++
        },
      } as never
      const judgement = new Judgement<Nested>({
        ...keeper().supervisor,
        tree,
        decider,
        calls: new CallQueue(),
      } as unknown as Judged<Nested>)
      new CallQueue().add(judgement.judge(child, isStale ? old : present))
      expect(judged).toBe(isStale ? 0 : 1)
    }))

  it('property 49, pure: an unhandled end of a watched actor fails the watcher where a pact was asked for', () =>
    check<[boolean, boolean, number, number]>(
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      (handles, isLive, incarnation, askedIn) => {
        const told: unknown[] = []
        const failures: unknown[] = []
        const follower = childOf('b')
        follower.isLive = isLive
        follower.incarnation = incarnation
        follower.actor = {
          handles: () => handles,
          send: (event: EventObject) => told.push(event),
          fail: (error: { code: string }) => failures.push(error.code),
        } as unknown as Incarnation
        const tree = createTree(virtualClock(0), () => 0)
        const above = { id: 'pool', phase: 'running', isUp: true, tree, place: undefined, report: () => {} } as unknown
        tellFollower<Nested>(above as Addressed<Nested>, follower, askedIn, {
          id: 'a',
          incarnation: 7,
          reason: 'killed',
        })
        const isDue = isLive && incarnation === askedIn
        const notice = { type: 'WATCHED_ENDED', id: 'a', incarnation: 7, reason: 'killed' }
        expect(told).toEqual(isDue && handles ? [notice] : [])
        expect(failures).toEqual(isDue && !handles ? ['watched_ended'] : [])
      },
    ))
})
