/**
 * The map machine against a model: items end in any order, with a crash and a restore anywhere between, and still each
 * is started once, in order, with never more alive than `concurrency`.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { ActorLogic, EventObject, Snapshot } from 'xstate'
import { mapContextSchema, mapMachine } from '../../machines/map.machine.ts'
import type { StageFailure } from '../../machines/stage.machine.ts'
import { PureMachine } from '../support/pure-machine.ts'
import { propertyRuns, propertyTimeoutMs } from '../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

/** An item that does nothing by itself: the test says when it ends. */
const held: ActorLogic<Snapshot<unknown>, EventObject> = {
  transition: snapshot => snapshot,
  getInitialSnapshot: () => ({ status: 'active', output: undefined, error: undefined }),
  getPersistedSnapshot: snapshot => snapshot,
}
const machine = mapMachine.provide({ actors: { stage: held as never } })

const failure: StageFailure = {
  error: { name: 'Error', message: 'no items' },
  type: 'runtime',
  kind: 'unknown',
  exhausted: false,
  answer: 'stop',
  retryAfterMs: null,
  signature: '',
}

class MapModel {
  phase: 'opening' | 'working' | 'succeeded' | 'degraded' | 'failed' = 'opening'
  total = 0
  readonly live = new Set<number>()
  readonly started: string[] = []
  readonly optional: boolean
  readonly concurrency: number

  constructor(optional: boolean, concurrency: number) {
    this.optional = optional
    this.concurrency = concurrency
  }

  /** What is to be started now: the next items, as many as there are places. */
  fill(): string[] {
    const names: string[] = []
    for (let item = this.started.length; item < this.total && this.live.size < this.concurrency; item++) {
      this.live.add(item)
      this.started.push(`m[${item}]`)
      names.push(`m[${item}]`)
    }
    if (this.live.size === 0) this.phase = 'succeeded'
    return names
  }

  pick(place: number): number {
    return [...this.live][place % this.live.size] as number
  }
}

type MapCommand = fc.Command<MapModel, PureMachine>

function agree(model: MapModel, map: PureMachine, started: readonly string[]): void {
  expect(map.value).toBe(model.phase)
  expect(map.isDone).toBe(!['opening', 'working'].includes(model.phase))
  expect(map.started).toEqual(started)
  expect(model.live.size).toBeLessThanOrEqual(model.concurrency)
  if (model.phase !== 'working') return
  expect(new Set(map.children)).toEqual(new Set([...model.live].map(item => `m[${item}]`)))
  expect(map.context).toMatchObject({ total: model.total, next: model.started.length, live: model.live.size })
}

const opened = (total: number): MapCommand => ({
  check: () => true,
  toString: () => `MAP_OPENED ${total}`,
  run(model, map) {
    const counts = model.phase === 'opening'
    map.send({ type: 'MAP_OPENED', total } as never)
    if (counts) {
      model.phase = 'working'
      model.total = total
    }
    agree(model, map, counts ? model.fill() : [])
  },
})

const refused: MapCommand = {
  check: () => true,
  toString: () => 'MAP_REFUSED',
  run(model, map) {
    if (model.phase === 'opening') model.phase = model.optional ? 'degraded' : 'failed'
    map.send({ type: 'MAP_REFUSED', failure } as never)
    agree(model, map, [])
    if (map.isDone && model.total === 0 && model.phase !== 'succeeded') expect(map.output).toMatchObject({ failure })
  },
}

const itemDone = (place: number): MapCommand => ({
  check: model => model.phase === 'working',
  toString: () => `an item ends (${place})`,
  run(model, map) {
    const item = model.pick(place)
    map.send({ type: `xstate.done.actor.m[${item}]`, actorId: `m[${item}]`, output: { outcome: 'succeeded' } } as never)
    model.live.delete(item)
    agree(model, map, model.fill())
  },
})

const itemFailed = (place: number): MapCommand => ({
  check: model => model.phase === 'working',
  toString: () => `an item fails (${place})`,
  run(model, map) {
    const item = model.pick(place)
    map.send({ type: `xstate.error.actor.m[${item}]`, actorId: `m[${item}]`, error: new Error('lost') } as never)
    model.phase = 'failed'
    agree(model, map, [])
    expect(map.output).toMatchObject({ outcome: 'failed' })
  },
})

const crash: MapCommand = {
  check: () => true,
  toString: () => 'CRASH+RESTORE',
  run(model, map) {
    map.restore()
    agree(model, map, [])
  },
}

const create = (optional: boolean, concurrency: number, admission: 'run' | 'skip' | 'refuse' = 'run') =>
  new PureMachine(machine, mapContextSchema, {
    stage: 'm',
    admission,
    optional,
    concurrency,
    ...(admission === 'refuse' ? { failure } : {}),
  })

const concurrencies = fc.integer({ min: 1, max: 5 })

describe('the machine of a map', () => {
  it('keeps to its places, starts each item once and in order, and ends when all have ended or one has failed', () => {
    const ending = fc.nat(20)
    const rest = fc.commands(
      [
        ending.map(itemDone),
        ending.map(itemDone),
        ending.map(itemDone),
        fc.oneof({ weight: 9, arbitrary: fc.constant(crash) }, { weight: 1, arbitrary: ending.map(itemFailed) }),
        fc.oneof({ weight: 9, arbitrary: fc.nat(12).map(opened) }, { weight: 1, arbitrary: fc.constant(refused) }),
      ],
      { maxCommands: 60 },
    )
    fc.assert(
      fc.property(fc.boolean(), concurrencies, rest, (optional, concurrency, sequence) => {
        fc.modelRun(
          () => ({ model: new MapModel(optional, concurrency), real: create(optional, concurrency) }),
          sequence,
        )
      }),
      { numRuns: propertyRuns * 3 },
    )
  })

  it('starts every item exactly once when none fails, whatever the order in which they end', () => {
    fc.assert(
      fc.property(
        concurrencies,
        fc.nat(20),
        fc.infiniteStream(fc.tuple(fc.nat(), fc.boolean())),
        (concurrency, total, moves) => {
          const map = create(false, concurrency)
          map.send({ type: 'MAP_OPENED', total } as never)
          const started = [...map.started]
          for (let ended = 0; ended < total; ended++) {
            const [place, crashes] = moves.next().value
            expect(map.isDone).toBe(false)
            if (crashes) map.restore()
            const id = map.children[place % map.children.length] as string
            map.send({ type: `xstate.done.actor.${id}`, actorId: id, output: { outcome: 'degraded' } } as never)
            started.push(...map.started)
          }
          expect(started).toEqual(Array.from({ length: total }, (_, item) => `m[${item}]`))
          expect(map.output).toEqual({ outcome: 'succeeded' })
        },
      ),
      { numRuns: propertyRuns },
    )
  })

  it('starts no item when it is skipped or refused', () => {
    for (const optional of [true, false]) {
      const skipped = create(optional, 3, 'skip')
      expect(skipped.output).toEqual({ outcome: 'skipped' })
      const refusedMap = create(optional, 3, 'refuse')
      expect(refusedMap.output).toEqual({ outcome: optional ? 'degraded' : 'failed', failure })
      for (const map of [skipped, refusedMap]) {
        expect(map.requests).toEqual([])
        map.send({ type: 'MAP_OPENED', total: 3 } as never)
        expect(map.started).toEqual([])
      }
    }
  })
})
