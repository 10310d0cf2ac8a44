import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { restartBound, type SupervisorSpec } from '../../../src/supervisor.ts'
import { check } from '../../support/check-property.ts'
import {
  apply,
  type Command,
  commands,
  groupStrategies,
  ids,
  restartTypes,
  specs,
  strategies,
} from '../../support/pure-arbitraries.ts'
import { type PureChildSpec, type PureSpec, PureSupervision, type StartResult } from '../../support/pure-supervision.ts'
import { propertyTimeoutMs, worker } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const plain = { intensity: 3, periodMs: 1000, autoShutdown: 'never', backoff: null } as const
type Restart = PureChildSpec['restart']
type Strategy = PureSpec['strategy']
const kinds = fc.array(restartTypes, { minLength: 1, maxLength: 5 })
const childrenOf = (types: readonly Restart[]): PureChildSpec[] =>
  types.map((restart, n) => ({ id: ids[n] as string, restart }))

function started(spec: PureSpec): PureSupervision {
  const supervision = new PureSupervision(spec)
  supervision.start()
  return supervision
}

/** A random life of a random tree; `after` is told after each command. */
function live(
  spec: PureSpec,
  list: readonly Command[],
  after: (supervision: PureSupervision) => void,
): PureSupervision {
  const supervision = started(spec)
  for (const command of list) {
    apply(supervision, command)
    after(supervision)
  }
  return supervision
}

/** Everybody who runs in the tree, by path. */
const runningIn = (supervision: PureSupervision): string[] =>
  supervision
    .running()
    .flatMap(({ spec, nested }) => [`${supervision.path}${spec.id}`, ...(nested ? runningIn(nested) : [])])

/** The incarnations of all children after one of them failed and what followed is over. */
function incarnationsAfterFailure(strategy: Strategy, types: readonly Restart[], pick: number) {
  const supervision = started({ ...plain, strategy, children: childrenOf(types) })
  const failed = pick % types.length
  supervision.end(ids[failed] as string, 'abnormal')
  supervision.advance(0)
  const of = (n: number): number | undefined => supervision.find(ids[n] as string)?.incarnation
  return { failed, isRestarted: types[failed] !== 'temporary', incarnations: types.map((_, n) => of(n)) }
}

describe('the supervisor machine with a reference runtime', () => {
  it('property 1, pure: children start in spec order', () =>
    check<[Restart[], Strategy]>(kinds, strategies, (types, strategy) => {
      const { world } = started({ ...plain, strategy, children: childrenOf(types) })
      expect(world.lines).toEqual(types.map((_, n) => `+${ids[n]}1`))
    }))

  it('property 2, pure: a start failure at i stops exactly i-1 … 1, in reverse, and fails the supervisor', () =>
    check<[Restart[], number]>(kinds, fc.nat(4), (types, pick) => {
      const at = pick % types.length
      const children = childrenOf(types).map((child, n) => ({
        ...child,
        attempts: [n === at ? 'fail' : 'ok'] as const,
      }))
      const supervision = new PureSupervision({ ...plain, strategy: 'one-for-one', children })
      expect(supervision.start()).toBe(false)
      const before = ids.slice(0, at)
      expect(supervision.world.lines).toEqual([
        ...before.map(id => `+${id}1`),
        ...before.toReversed().map(id => `-${id}1 shutdown`),
        'stopped start-failed',
      ])
      expect(supervision.status).toBe('done')
    }))

  it('property 5, pure: a child that declines to start keeps its spec unless temporary', () =>
    check<[Restart[]]>(kinds, types => {
      const children = childrenOf(types).map(child => ({ ...child, attempts: ['ignore'] as const }))
      const supervision = started({ ...plain, strategy: 'one-for-one', children })
      expect(supervision.isRunning).toBe(true)
      const kept = children.filter(({ restart }) => restart !== 'temporary').map(({ id }) => id)
      expect(supervision.children.map(({ spec }) => spec.id)).toEqual(kept)
      expect(supervision.running()).toEqual([])
    }))

  it('property 7, pure: at most one live incarnation an id, always', () =>
    check<[PureSpec, Command[]]>(specs(1), commands, (spec, list) => {
      const { world } = live(spec, list, () => {})
      const alive = new Set<string>()
      for (const line of world.lines) {
        const [, sign, path] = /^([+-])(\S+?)\d+( |$)/.exec(line) ?? []
        if (sign === '+') expect(alive.has(path as string)).toBe(false)
        if (sign === '+') alive.add(path as string)
        if (sign === '-') expect(alive.delete(path as string)).toBe(true)
      }
    }))

  it('property 10, pure: a temporary child is never restarted, not even by a group strategy', () =>
    check<[PureSpec, Command[]]>(specs(), commands, (spec, list) => {
      const supervision = live(spec, list, () => {})
      const temporary = new Set(spec.children.flatMap(({ id, restart }) => (restart === 'temporary' ? [id] : [])))
      const added = new Set(list.flatMap(command => (command.kind === 'add' ? [command.id] : [])))
      for (const line of supervision.world.lines) {
        const [, id, incarnation] = /^\+(\w)(\d+)$/.exec(line) ?? []
        if (id && temporary.has(id) && !added.has(id)) expect(incarnation).toBe('1')
        const members = /^!\w \[(.*)\]$/.exec(line)?.[1]?.split(' ') ?? []
        expect(members.filter(member => temporary.has(member) && !added.has(member))).toEqual([])
      }
    }))

  it('property 11, pure: one-for-one leaves the incarnations of the siblings alone', () =>
    check<[Restart[], number]>(kinds, fc.nat(4), (types, pick) => {
      const { failed, incarnations } = incarnationsAfterFailure('one-for-one', types, pick)
      const siblings = incarnations.filter((_, n) => n !== failed)
      expect(siblings).toEqual(siblings.map(() => 1))
    }))

  it('property 12, pure: one-for-all changes all non-temporary incarnations', () =>
    check<[Restart[], number]>(kinds, fc.nat(4), (types, pick) => {
      const { isRestarted, failed, incarnations } = incarnationsAfterFailure('one-for-all', types, pick)
      const expected = isRestarted
        ? types.map(type => (type === 'temporary' ? undefined : 2))
        : types.map((_, n) => (n === failed ? undefined : 1))
      expect(incarnations).toEqual(expected)
    }))

  it('property 13, pure: rest-for-one changes exactly those at or after the failed index', () =>
    check<[Restart[], number]>(kinds, fc.nat(4), (types, pick) => {
      const { isRestarted, failed, incarnations } = incarnationsAfterFailure('rest-for-one', types, pick)
      const changed = incarnations.map(number => number !== 1)
      expect(changed).toEqual(types.map((_, n) => n === failed || (isRestarted && n > failed)))
      if (isRestarted) expect(incarnations.filter(number => number !== undefined && number > 2)).toEqual([])
    }))

  it('property 14, pure: a group stops in reverse order and starts forward', () =>
    check<['one-for-all' | 'rest-for-one', number, number]>(
      groupStrategies,
      fc.integer({ min: 1, max: 5 }),
      fc.nat(4),
      (strategy, count, pick) => {
        const all = ids.slice(0, count)
        const failed = all[pick % count] as string
        const supervision = started({ ...plain, strategy, children: childrenOf(all.map(() => 'permanent')) })
        supervision.end(failed, 'abnormal')
        supervision.advance(0)
        const group = strategy === 'one-for-all' ? all : all.slice(all.indexOf(failed))
        expect(supervision.world.lines.slice(count)).toEqual([
          `-${failed}1 abnormal`,
          `!${failed} [${group.join(' ')}]`,
          ...group
            .toReversed()
            .filter(id => id !== failed)
            .map(id => `-${id}1 shutdown`),
          ...group.map(id => `+${id}2`),
        ])
      },
    ))

  it('property 15, pure: a group restart costs one unit', () =>
    check<['one-for-all' | 'rest-for-one', Restart[], number[]]>(
      groupStrategies,
      kinds,
      fc.array(fc.nat(4), { maxLength: 8 }),
      (strategy, types, picks) => {
        const supervision = started({ ...plain, intensity: 100, strategy, children: childrenOf(types) })
        for (const pick of picks) {
          const child = supervision.running()[pick % Math.max(1, supervision.running().length)]
          if (!child) break
          const before = supervision.context.totalRestarts
          supervision.end(child.spec.id, 'abnormal')
          supervision.advance(0)
          expect(supervision.context.totalRestarts - before).toBe(child.spec.restart === 'temporary' ? 0 : 1)
          expect(supervision.context.window.total).toBe(supervision.context.totalRestarts)
        }
      },
    ))

  it('property 16, pure: a start failure within a group converges or escalates, and a half-started group never stays', () =>
    check<['one-for-all' | 'rest-for-one', number, StartResult[][]]>(
      groupStrategies,
      fc.integer({ min: 0, max: 4 }),
      fc.array(fc.array(fc.constantFrom<StartResult>('ok', 'fail'), { maxLength: 4 }), { minLength: 2, maxLength: 4 }),
      (strategy, intensity, plans) => {
        const children = plans.map((plan, n) => ({
          id: ids[n] as string,
          restart: 'permanent' as const,
          attempts: ['ok' as const, ...plan],
        }))
        const supervision = started({ ...plain, intensity, strategy, children })
        supervision.end('a', 'abnormal')
        supervision.advance(0)
        const failures = supervision.decisions.length
        expect(supervision.running()).toHaveLength(supervision.isRunning ? plans.length : 0)
        expect(failures).toBeLessThanOrEqual(intensity + 1)
        if (!supervision.isRunning) expect(supervision.context.outcome).toBe('intensity')
      },
    ))

  it('property 26, pure: restarts in the whole tree stay within the static bound', () =>
    check<[PureSpec, Command[]]>(specs(2), commands, (spec, list) => {
      const onlyEnds = list.filter(({ kind }) => kind === 'fail' || kind === 'finish' || kind === 'advance')
      const { world } = live(spec, onlyEnds, () => {})
      const decided = world.lines.filter(line => line.startsWith('!')).length
      expect(decided).toBeLessThanOrEqual(restartBound(boundOf(spec), Math.max(1, world.now)).restarts)
    }))

  it('property 31, pure: a stop during backoff cancels it, and no start comes later', () =>
    check<[PureSpec, Command[], number]>(specs(1), commands, fc.nat(50), (spec, list, waited) => {
      const backoff = { kind: 'exponential' as const, base: 10, max: 500, jitter: 0, resetAfterMs: 1000 }
      const supervision = live({ ...spec, backoff, intensity: 100 }, list, () => {})
      supervision.advance(waited)
      supervision.stop()
      const before = supervision.world.lines.length
      const { decision } = supervision.context
      supervision.advance(100_000)
      supervision.tell({ type: 'RESTARTS_SETTLED' })
      expect(supervision.world.lines.slice(before)).toEqual([])
      expect(supervision.context.decision).toBe(decision)
      expect(supervision.status).toBe('done')
    }))

  it('property 33, pure: an exceeded intensity stops all children before the parent is told', () =>
    check<[PureSpec, Command[]]>(specs(2), commands, (spec, list) => {
      const top: PureSpec = {
        ...plain,
        intensity: 50,
        strategy: 'one-for-one',
        children: [{ id: 'a', restart: 'permanent', nested: spec }],
      }
      const { world } = live(top, list, () => {})
      world.lines.forEach((line, n) => {
        if (!/^a\/\S*stopped intensity/.test(line)) return
        const path = line.split('stopped')[0] as string
        const told = world.lines.findIndex((later, at) => at > n && later.startsWith(`-${path.slice(0, -1)}`))
        expect(told).toBeGreaterThan(n)
        expect(aliveAt(world.lines.slice(0, told)).filter(id => id.startsWith(path))).toEqual([])
      })
    }))

  it('property 34, pure: escalation reaches the root in at most depth steps and keeps the cause chain', () =>
    check<[number, Strategy]>(fc.integer({ min: 1, max: 6 }), strategies, (depth, strategy) => {
      const base = { ...plain, intensity: 0, strategy }
      let spec: PureSpec = { ...base, children: [{ id: 'leaf', restart: 'permanent' }] }
      for (let level = 1; level < depth; level++) {
        spec = { ...base, children: [{ id: 'n', restart: 'permanent', nested: spec }] }
      }
      const supervision = started(spec)
      let whose = supervision
      for (let level = 1; level < depth; level++) whose = whose.find('n')?.nested as PureSupervision
      whose.end('leaf', 'abnormal', 'the first failure')
      const chain = supervision.causes.join(' < ').split(' < ')
      expect(chain).toHaveLength(depth + 1)
      expect(chain.at(-1)).toBe('the first failure')
      expect(supervision.context.outcome).toBe('intensity')
    }))

  it('property 38, pure: stop is idempotent and ends even when children die meanwhile, for any reason', () =>
    check<[PureSpec, Command[], ('exit' | 'start' | 'stop')[]]>(
      specs(),
      commands,
      fc.array(fc.constantFrom('exit' as const, 'start' as const, 'stop' as const), { maxLength: 10 }),
      (spec, list, meanwhile) => {
        const supervision = live({ ...spec, intensity: 100, autoShutdown: 'never' }, list, () => {})
        const facts = { id: 'a', at: supervision.world.now, unit: 0, failures: 0, previousDelayMs: 0 }
        const isDue = supervision.isRunning
        supervision.tell({ type: 'STOP' })
        const { decision, outcome } = supervision.context
        const rest = {
          restart: 'permanent',
          significant: true,
          reason: 'abnormal',
          ranMs: 0,
          otherSignificant: false,
        } as const
        for (const what of meanwhile) {
          if (what === 'exit') supervision.tell({ type: 'CHILD_EXITED', ...facts, ...rest })
          else if (what === 'start') supervision.tell({ type: 'START_FAILED', ...facts })
          else supervision.tell({ type: 'STOP' })
        }
        expect(supervision.context).toMatchObject({ decision, outcome })
        supervision.tell({ type: 'CHILDREN_STOPPED' })
        expect(supervision.status).toBe('done')
        if (isDue) expect(supervision.context.outcome).toBe('shutdown')
      },
    ))

  it('property 40, pure: a parent that errors leaves no orphan', () =>
    check<[PureSpec, Command[]]>(specs(2), commands, (spec, list) => {
      live(spec, list, supervision => {
        expect(runningIn(supervision).toSorted()).toEqual(aliveAt(supervision.world.lines).toSorted())
        if (!supervision.isRunning) expect(aliveAt(supervision.world.lines)).toEqual([])
      })
    }))
})

/** Who has started and not ended, by path. */
function aliveAt(lines: readonly string[]): string[] {
  const alive = new Set<string>()
  for (const line of lines) {
    const [, sign, path] = /^([+-])(\S+?)\d+( |$)/.exec(line) ?? []
    if (sign === '+') alive.add(path as string)
    if (sign === '-') alive.delete(path as string)
  }
  return [...alive]
}

function boundOf({ periodMs, children, backoff: _, ...rest }: PureSpec): SupervisorSpec {
  return {
    ...rest,
    period: periodMs,
    children: children.map(({ id, restart, significant, nested }) => ({
      id,
      restart,
      significant,
      logic: nested ? boundOf(nested) : worker,
    })),
  }
}
